from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np

from feedmill.serve.pipeline.candidates import Retrieved
from feedmill.serve.pipeline.fan_out import FanOut, FanOutConfig
from feedmill.serve.pipeline.meter import StageRun
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import Source, SourceConfig

PATIENT = SourceConfig(deadline_ms=60_000)
HASTY = SourceConfig(deadline_ms=5)
REQUEST = HydratedRequest(user_id="ann", now=0)
ITEMS = range(100)


class Asked(Source):
    """A source that does what it is told."""

    name: ClassVar[str] = "asked"

    def __init__(self, fetch: Callable[[], Retrieved], config: SourceConfig = PATIENT) -> None:
        self._fetch = fetch
        self._config = config
        self.calls = 0

    @property
    def config(self) -> SourceConfig:
        return self._config

    def fetch(self, request: HydratedRequest) -> Retrieved:
        self.calls += 1
        return self._fetch()

    def why(self, request: HydratedRequest, item: int, evidence: int) -> str:
        return "asked"


class InMemory(Asked):
    in_memory: ClassVar[bool] = True


def naming(*items: int) -> Callable[[], Retrieved]:
    return lambda: Retrieved.of(np.array(items), np.ones(len(items)))


def failing() -> Retrieved:
    raise OSError("no route to host")


@contextmanager
def hanging() -> Iterator[Callable[[], Retrieved]]:
    """A call that comes back only when the block is left."""
    over = threading.Event()

    def hang() -> Retrieved:
        over.wait(60)
        return Retrieved.nothing()

    try:
        yield hang
    finally:
        over.set()


def fetch(fan_out: FanOut) -> tuple[list[list[int] | None], list[StageRun]]:
    runs: list[StageRun] = []
    fetched = fan_out.fetch(REQUEST, runs)
    return [None if part is None else part.items.tolist() for part in fetched], runs


def test_a_source_that_fails_costs_only_its_items_and_is_counted() -> None:
    fan_out = FanOut([Asked(naming(1, 2)), Asked(failing), Asked(naming(3))], ITEMS, FanOutConfig())
    named, runs = fetch(fan_out)
    assert named == [[1, 2], None, [3]]
    assert [run.outcome for run in runs] == ["ok", "failed", "ok"]
    assert runs[1].error == "OSError: no route to host"
    fan_out.close()


def test_a_source_that_hangs_costs_only_its_items_and_is_late() -> None:
    with hanging() as hang:
        fan_out = FanOut([Asked(hang, HASTY), Asked(naming(3))], ITEMS, FanOutConfig())
        named, runs = fetch(fan_out)
        assert named == [None, [3]]
        assert [run.outcome for run in runs] == ["late", "ok"]
        fan_out.close()


def test_sources_run_side_by_side() -> None:
    together = threading.Barrier(2, timeout=60)

    def meet() -> Retrieved:
        together.wait()
        return naming(1)()

    fan_out = FanOut([Asked(meet), Asked(meet)], ITEMS, FanOutConfig())
    assert fetch(fan_out)[0] == [[1], [1]]
    fan_out.close()


def test_a_source_that_keeps_hanging_is_left_alone_until_the_pause_is_over() -> None:
    seconds = 0.0
    with hanging() as hang:
        source = Asked(hang, SourceConfig(deadline_ms=0.001))
        config = FanOutConfig(failures=2, pause_seconds=10, workers=1)
        fan_out = FanOut([source], ITEMS, config, timer=lambda: seconds)
        outcomes = [fetch(fan_out)[1][0].outcome for _ in range(4)]
        assert outcomes == ["late", "late", "refused", "refused"]
        seconds = 10.0
        assert [fetch(fan_out)[1][0].outcome for _ in range(2)] == ["late", "refused"]
        # The one thread is still in the first call; the others were taken back before they were made.
        assert source.calls <= 1
        fan_out.close()


def test_a_source_that_has_recovered_is_asked_again() -> None:
    seconds = 0.0
    answers = iter([failing, naming(4), naming(5)])
    fan_out = FanOut(
        [Asked(lambda: next(answers)())], ITEMS, FanOutConfig(failures=1, pause_seconds=10), lambda: seconds
    )
    assert fetch(fan_out)[0] == [None]
    assert fetch(fan_out)[1][0].outcome == "refused"
    seconds = 10.0
    assert fetch(fan_out)[0] == [[4]]
    assert fetch(fan_out)[0] == [[5]]
    fan_out.close()


def test_a_source_that_names_items_the_catalog_does_not_have_costs_only_its_items() -> None:
    for wrong in (naming(100), naming(-1), lambda: Retrieved.of(np.array([1]), np.array([np.nan]))):
        fan_out = FanOut([Asked(wrong), Asked(naming(3))], ITEMS, FanOutConfig(parallel=False))
        named, runs = fetch(fan_out)
        assert named == [None, [3]]
        assert runs[0].outcome == "failed"


def test_a_source_that_is_switched_off_is_not_asked() -> None:
    source = Asked(naming(1), SourceConfig(enabled=False))
    fan_out = FanOut([source], ITEMS, FanOutConfig())
    named, runs = fetch(fan_out)
    assert (named, runs[0].outcome, source.calls) == ([None], "disabled", 0)


def test_one_after_another_gives_what_side_by_side_gives_but_without_deadlines() -> None:
    sources = [Asked(naming(1, 2), SourceConfig(deadline_ms=0.000001)), Asked(failing), Asked(naming(3))]
    named, runs = fetch(FanOut(sources, ITEMS, FanOutConfig(parallel=False)))
    assert named == [[1, 2], None, [3]]
    assert [run.outcome for run in runs] == ["ok", "failed", "ok"]


def test_sources_that_work_in_memory_share_one_thread() -> None:
    threads: list[str] = []

    def note() -> Retrieved:
        threads.append(f"{threading.current_thread().name} {threading.get_ident()}")
        return naming(len(threads))()

    fan_out = FanOut([InMemory(note), InMemory(note), InMemory(failing), InMemory(note)], ITEMS, FanOutConfig())
    named, runs = fetch(fan_out)
    assert named == [[1], [2], None, [3]]
    assert [run.outcome for run in runs] == ["ok", "ok", "failed", "ok"]
    assert len(set(threads)) == 1
    assert threads[0].startswith("feedmill-sources ")
    fan_out.close()


def test_one_of_them_that_hangs_costs_only_its_items_wherever_it_stands() -> None:
    for place in range(3):
        with hanging() as hang:
            sources: list[Source] = [InMemory(naming(1)), InMemory(naming(2))]
            sources.insert(place, InMemory(hang, HASTY))
            fan_out = FanOut(sources, ITEMS, FanOutConfig())
            named, runs = fetch(fan_out)
            assert [part for part in named if part is not None] == [[1], [2]]
            assert [run.outcome for run in runs].index("late") == place
            assert [run.outcome for run in runs].count("ok") == 2
            fan_out.close()


def test_one_that_keeps_hanging_does_not_take_the_threads_that_the_others_share() -> None:
    with hanging() as hang:
        hanged, other = InMemory(hang, HASTY), InMemory(naming(3))
        fan_out = FanOut([hanged, other], ITEMS, FanOutConfig(workers=2, failures=100))
        for _ in range(6):
            named, runs = fetch(fan_out)
            assert named == [None, [3]]
            assert [run.outcome for run in runs] == ["late", "ok"]
        # At most once in a thread that they share, and then in its own two.
        assert hanged.calls <= 3
        assert other.calls == 6
        fan_out.close()


def test_threads_that_are_all_held_up_are_done_without() -> None:
    with hanging() as hang:
        sources = [InMemory(hang, HASTY), InMemory(naming(3), SourceConfig(deadline_ms=200))]
        fan_out = FanOut(sources, ITEMS, FanOutConfig(workers=1))
        assert fetch(fan_out)[0] == [None, [3]]
        # The one shared thread is gone: what would share it is called in its own.
        assert fetch(fan_out)[0] == [None, [3]]
        fan_out.close()


def test_one_that_has_recovered_shares_again() -> None:
    with hanging() as hang:
        answers = iter([hang, naming(1), naming(2)])
        where: list[str] = []

        def answer() -> Retrieved:
            where.append(threading.current_thread().name)
            return next(answers)()

        # Long enough for its thread to have started.
        source = InMemory(answer, SourceConfig(deadline_ms=300))
        fan_out = FanOut([source], ITEMS, FanOutConfig())
        assert fetch(fan_out)[0] == [None]
        source._config = PATIENT
        assert [fetch(fan_out)[0], fetch(fan_out)[0]] == [[[1]], [[2]]]
        assert where == ["feedmill-sources", "feedmill-asked", "feedmill-sources"]
        fan_out.close()
