"""Puts a trace into words: pages for users, explanations for those who ask why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from feedmill.serve.page import Explanation, Page, PageItem, sentence
from feedmill.serve.pipeline.stages import Explained
from feedmill.serve.pipeline.trace import Removal, Trace, seven_digits
from feedmill.stream.catalog.columns import Catalog


class Presenter:
    """Knows titles, and asks the sources why they named an item."""

    def __init__(self, catalog: Catalog, sources: Mapping[str, Explained], explored: str) -> None:
        """`sources` by name, the one whose reason says most first; `explored` is the one that exploration shows."""
        self._items = catalog.items
        self._sources = sources
        self._explored = explored

    def page(self, trace: Trace) -> Page:
        """The page of a trace."""
        items = tuple(self._page_item(trace, place) for place in range(len(trace.slate)))
        timings: dict[str, float] = {}
        for run in trace.runs:
            if run.outcome != "disabled":
                key = f"{run.kind}/{run.stage}"
                timings[key] = timings.get(key, 0.0) + 1000 * run.seconds
        return Page(items, _note(trace, items), trace, timings)

    def explanation(self, trace: Trace, item: int, would_remove: Removal | None) -> Explanation:
        """What became of an item; `would_remove` is what the filters say of it where no source named it."""
        fate = trace.fate(item)
        why, otherwise = "", ""
        if fate.outcome == "shown" and fate.rank is not None:
            why = self._page_item(trace, fate.rank - 1).why
        if would_remove is not None:
            otherwise = f"the filter {would_remove.stage} would have removed it: {would_remove.reason}"
        return Explanation(
            self._items.ids.names[item],
            self._title(item),
            fate.outcome,
            sentence(trace, fate, why, otherwise),
            fate.sources,
            fate.rank,
            fate.removal or would_remove,
            fate.predictions,
            fate.score,
        )

    def _page_item(self, trace: Trace, place: int) -> PageItem:
        row = int(trace.slate[place])
        candidates = trace.candidates
        item = int(candidates.items[row])
        probability = seven_digits(trace.probabilities[place])
        repeated = bool(candidates.repeated[row])
        why = self._why(trace, row, explored=not np.isnan(probability))
        return PageItem(
            position=place + 1,
            item_id=self._items.ids.names[item],
            title=self._title(item),
            sources=trace.sources(row),
            predictions=trace.predictions(row),
            score=seven_digits(candidates.scores[row]),
            probability=None if np.isnan(probability) else probability,
            why=f"{why}; you have seen it, and there is nothing new left" if repeated else why,
            repeated=repeated,
        )

    def _why(self, trace: Trace, row: int, explored: bool) -> str:
        candidates = trace.candidates
        named = trace.sources(row)
        name = next(name for name in self._sources if name in named)
        if explored and self._explored in named:
            name = self._explored
        evidence = int(candidates.evidence[row, candidates.sources.index(name)])
        return self._sources[name].why(trace.request, int(candidates.items[row]), evidence)

    def _title(self, item: int) -> str:
        body = self._items.body(item)
        return body.title if body is not None and body.title else self._items.ids.names[item]


def _note(trace: Trace, items: tuple[PageItem, ...]) -> str:
    notes = []
    limit = trace.request.limit
    failed = dict.fromkeys(run.stage for run in trace.runs if run.outcome == "failed" and run.kind != "source")
    if len(items) < limit:
        notes.append(f"{len(items)} of {limit}: the catalogue has no more that this user may be shown")
        if failed:
            notes = [f"{len(items)} of {limit}: what was needed to show more has failed ({', '.join(failed)})"]
    repeated = sum(item.repeated for item in items)
    if repeated:
        notes.append(f"{repeated} of them seen before")
    return "; ".join(notes)
