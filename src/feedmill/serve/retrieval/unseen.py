"""Puts what a user has not seen before what the user has."""

from __future__ import annotations

import numpy as np

from feedmill.serve.pipeline.candidates import Rows
from feedmill.serve.pipeline.readers import Int32s, StateReader
from feedmill.serve.pipeline.request import HydratedRequest


def unseen_first(
    state: StateReader,
    request: HydratedRequest,
    items: Int32s,  # int32 [n]
    limit: int,
) -> Rows:
    """intp [k]: the places of up to `limit` items, the unseen before the seen, else in the order in which they stand.

    A source that names what the seen filter will remove wastes its places; one that names only unseen items would
    leave a small catalogue without a page. Looks no further than it must: what a user has seen is a lookup an item.
    """
    if request.user < 0:
        return np.arange(min(limit, len(items)))
    fresh = state.views(request.user, items[:limit]) == 0
    if fresh.all():
        return np.arange(len(fresh))
    unseen, seen = [np.flatnonzero(fresh)], [np.flatnonzero(~fresh)]
    found, start = len(unseen[0]), len(fresh)
    while found < limit and start < len(items):
        # Twice as far each time: few of what comes next may be unseen, and each look costs something too.
        fresh = state.views(request.user, items[start : 2 * start]) == 0
        unseen.append(np.flatnonzero(fresh) + start)
        seen.append(np.flatnonzero(~fresh) + start)
        found += len(unseen[-1])
        start += len(fresh)
    return np.concatenate([*unseen, *seen])[:limit]
