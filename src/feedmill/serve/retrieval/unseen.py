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
) -> Rows:
    """intp [n]: an order of the items, unchanged among the unseen and among the seen.

    A source that names what the seen filter will remove wastes its places; one that names only unseen items would
    leave a small catalogue without a page.
    """
    if request.user < 0:
        return np.arange(len(items))
    return np.argsort(state.views(request.user, items) > 0, kind="stable")
