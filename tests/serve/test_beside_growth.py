"""Feeds that are asked for while items are added, which a source that hangs sees even where requests and folds take
turns."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Audience, Item, Record
from feedmill.serve.feed import Feed, Models
from feedmill.serve.feed_config import FeedConfig
from feedmill.serve.pipeline.request import Request
from feedmill.serve.pipeline.stages import SourceConfig
from feedmill.serve.retrieval.co_visitation import CoVisitationConfig
from feedmill.serve.retrieval.fresh import FreshConfig
from feedmill.serve.retrieval.liked import LikedConfig
from feedmill.serve.retrieval.two_tower import TwoTowerConfig
from feedmill.stream.catalog.columns import ItemColumns
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.state import State, StateConfig
from feedmill.testing.pipeline_contract import MemoryExtractor, MemoryRanker, MemoryTwoTower

NOW = 1_700_000_000_000
OBJECTIVES = {"like": Objective("like"), "hide": Objective("hide", weight=-1.0)}
ACTIONS = {"like": Action(meaning="positive"), "hide": Action(meaning="negative", hides=True)}
PATIENT = FeedConfig(
    co_visitation=CoVisitationConfig(deadline_ms=60_000),
    liked=LikedConfig(deadline_ms=60_000, refresh_seconds=1e-9),
    two_tower=TwoTowerConfig(deadline_ms=60_000, refresh_seconds=1e-9),
    trending=SourceConfig(deadline_ms=60_000),
    fresh=FreshConfig(deadline_ms=60_000, refresh_seconds=1e-9),
)
READERS = 3
ITEMS = 4_200
"""Columns grow at 1,024, 2,048 and 4,096 rows."""


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns every few instructions, so that the moments between two reads are not rare."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def item(number: int) -> Record:
    audience = Audience(users=("nobody",)) if number % 10 == 9 else None
    body = Item(
        author_id=f"a{number % 50}",
        categories=(f"c{number % 7}",),
        tags=(f"t{number % 11}",),
        created_at=NOW - number,
        audience=audience,
    )
    return Record("item", NOW, object=f"i{number}", body=body)


def like(user: int, number: int) -> Record:
    return Record("event", NOW, subject=f"u{user}", object=f"i{number}", action="like")


@pytest.mark.usefixtures("hasty_threads")
def test_items_that_are_added_while_feeds_are_made_cost_no_stage_its_answer() -> None:
    state = State(StateConfig(FeatureConfig(), FeedbackReader(ACTIONS, OBJECTIVES)))
    state.fold([item(number) for number in range(900)])
    state.fold([like(user, number) for user in range(READERS) for number in range(user, 40, 3)])
    learned = MemoryTwoTower(state.catalog, state), MemoryExtractor(state.catalog, state)  # type: ignore[arg-type]
    models = Models(objectives=OBJECTIVES, extractor=learned[1], ranker=MemoryRanker(), two_tower=learned[0])
    serving = Feed(state.catalog, state, models, PATIENT)
    written = threading.Event()
    problems: list[str] = []

    def write() -> None:
        try:
            for number in range(900, ITEMS):
                state.fold([item(number), like(number % READERS, number), like(100 + number % 20, number)])
        finally:
            written.set()

    def read(user: int) -> None:
        try:
            asked = 0
            while not written.is_set() or asked < 5:
                asked += 1
                request = Request(user_id=f"u{user}", now=NOW + asked, request_id=f"{user}-{asked}")
                page = serving.recommend(request)
                shown = [int(position.item_id[1:]) for position in page.items]
                assert len(set(shown)) == 20
                assert not [number for number in shown if number % 10 == 9], "shown to who is not in its audience"
                newest = len(state.catalog.items)
                serving.rank(request, [f"i{number}" for number in range(newest - 20, newest + 20)])
                serving.similar(f"i{asked % 900}", 10, NOW + asked)
        except Exception as error:
            problems.append(f"{type(error).__name__}: {error}")

    threads = [
        threading.Thread(target=write),
        *(threading.Thread(target=read, args=(user,)) for user in range(READERS)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = serving.counts()
    serving.close()
    assert problems == []
    assert {name: count.last_error for name, count in counts.items() if count.failed or count.late} == {}
    assert len(state.catalog.items) == ITEMS


def test_a_column_has_a_row_for_every_item_that_was_counted_also_where_one_comes_while_they_are_counted() -> None:
    class Busy(ItemColumns):
        full = True

        def __len__(self) -> int:
            if not self.full:
                # One more than the arrays have rows for.
                self.full = True
                self.add("late")
            return super().__len__()

    for name in ("keys", "authors", "categories", "created_at", "expires_at", "servable", "restricted"):
        items = Busy()
        for number in range(1_024):
            items.add(f"i{number}")
        items.full = False
        assert len(getattr(items, name)) == 1_025
