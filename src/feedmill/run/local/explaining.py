"""Why a page is what it is: from the log what was served, from the trace everything else."""

from __future__ import annotations

from typing import Protocol

from feedmill.domain.errors import FeedmillError, NotFound
from feedmill.domain.records import Record, Served, ServedItem
from feedmill.measure.monitoring.arms import HOLDOUT
from feedmill.run.local.answers import PageExplanation
from feedmill.run.local.traces import Traces
from feedmill.serve.page import Explanation, PageItem

_NOT_TRACED = (
    "what else was considered was not kept: of a share of requests only all candidates are (serving.trace_share)"
)
_GONE = (
    "what else was considered is not there any more: it is kept for some days (serving.trace_days), and lost where the"
    " disk does not take it or the server is killed within a second"
)


class Titles(Protocol):
    """Knows the items of a page as they are now."""

    def title(self, item_id: str) -> str | None: ...

    def page_item(self, served: ServedItem) -> PageItem: ...


def explain(record: Record, traces: Traces, titles: Titles, item_id: str | None) -> PageExplanation:
    """The explanation of a page; with `item_id` also the fate of that item. Raises NotFound where that is not known."""
    served = record.body
    assert isinstance(served, Served)
    items = tuple(titles.page_item(item) for item in served.items)
    note = ""
    stored = None
    if not served.traced:
        note = _NOT_TRACED
    else:
        try:
            stored = traces.get(record.request_id)
            note = "" if stored is not None else _GONE
        except FeedmillError as error:
            note = f"what else was considered cannot be read ({error})"
    fate: Explanation | None = None
    if item_id is not None:
        title = titles.title(item_id)
        if title is None:
            raise NotFound(f"there is no item {item_id!r}")
        shown = next((item for item in items if item.item_id == item_id), None)
        if stored is not None:
            fate = stored.explanation(item_id, title)
        elif shown is not None:
            fate = Explanation(
                item_id, shown.title, "shown", f"on the page at position {shown.position}: {shown.why}",
                shown.sources, shown.position, None, shown.predictions, shown.score,
            )  # fmt: skip
        else:
            raise NotFound(f"item {item_id!r} is not on this page, and {note}")
    return PageExplanation(
        request_id=record.request_id,
        user_id=record.subject,
        surface=served.surface,
        at=record.timestamp,
        arm=served.arms.get(HOLDOUT, ""),
        policy_version=served.policy_version,
        state_position=served.state_position,
        items=items,
        trace=None if stored is None else stored.summary(),
        note=note,
        item=fate,
    )
