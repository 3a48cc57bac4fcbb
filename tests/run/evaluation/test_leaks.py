"""Nothing that happens after the moment of the cut changes what was predicted before it, for any protocol and model."""

from __future__ import annotations

import numpy as np
import pytest

from feedmill.domain.clock import MINUTE
from feedmill.domain.interactions import Interactions
from feedmill.domain.records import Item, Record
from feedmill.learn.models.named import BATCH_MODELS
from feedmill.measure.evaluation.cold_start import ItemColdStart, UserColdStart
from feedmill.measure.evaluation.protocol import EvaluationProtocol, Recommender
from feedmill.measure.evaluation.temporal import Temporal
from feedmill.run.config import load_config
from feedmill.run.evaluation.engine_model import NAME, EngineModel
from feedmill.run.evaluation.logged import Logged, read_log
from feedmill.run.evaluation.models import make_model
from feedmill.testing.memory_log import MemoryLog

START = 1_700_000_000_000
USERS, ITEMS, ROWS = 30, 25, 400
CUT = START + 300 * MINUTE
QUICK = {
    "als": "als:factors=4:iterations=3",
    "bpr": "bpr:factors=4:iterations=5",
    "svd": "svd:factors=4",
    "matrix-factorisation": "matrix-factorisation:factors=4:epochs=2",
}
CONFIG = load_config(arguments=["ranker.dimension=2", "ranker.hidden=[4]", "retrieval.dimension=2"])
IN_TIME = [Temporal(at=CUT), UserColdStart(at=CUT, known=0), ItemColdStart(at=CUT)]


def log_with_a_future(seed: int) -> tuple[MemoryLog, Logged]:
    """The same past for every seed; behind the cut other likes, users and items."""
    past, future = np.random.default_rng(0), np.random.default_rng(seed)
    records = [Record("item", START, object=f"i{n}", body=Item(tags=(f"t{n % 3}",))) for n in range(ITEMS + 5)]
    for n in range(ROWS):
        generator = past if n < 300 else future
        users, items = (USERS, ITEMS) if n < 300 else (USERS + 5, ITEMS + 5)
        user, item = f"u{generator.integers(users)}", f"i{generator.integers(items)}"
        records.append(Record("event", START + n * MINUTE, user, item, "like", event_id=f"e{n}-{seed}"))
    log = MemoryLog()
    log.append(records)
    return log, read_log(log, CONFIG)


def make(name: str, log: MemoryLog, logged: Logged) -> Recommender:
    return (
        EngineModel(log, logged, CONFIG)
        if name == NAME
        else make_model(QUICK.get(name, name), 0).describe(logged.bodies)
    )


@pytest.mark.parametrize("name", [*BATCH_MODELS, NAME])
@pytest.mark.parametrize("protocol", IN_TIME, ids=lambda protocol: protocol.name)
def test_another_future_gives_the_same_predictions(protocol: EvaluationProtocol, name: str) -> None:
    answers = []
    for seed in (1, 2):
        log, logged = log_with_a_future(seed)
        (split,) = protocol.splits(logged.interactions)
        model = make(name, log, logged)
        model.fit(split.train)
        known = [logged.user_ids.index(f"u{n}") for n in range(10)]
        items, scores = model.recommend(np.array(known), 5)
        answers.append(([[logged.item_ids[item] if item >= 0 else "" for item in row] for row in items], scores))
    assert answers[0][0] == answers[1][0]
    assert answers[0][1].tobytes() == answers[1][1].tobytes()


@pytest.mark.parametrize("name", [*BATCH_MODELS, NAME])
def test_what_is_asked_for_is_no_part_of_what_was_learned(name: str) -> None:
    """With the labels of the test part moved to other items, the same lists come out."""
    log, logged = log_with_a_future(1)
    (split,) = Temporal(at=CUT).splits(logged.interactions)
    generator = np.random.default_rng(3)
    lists = []
    for items in (split.test.items, generator.permutation(split.test.items)):
        moved = Interactions.of(
            np.append(split.train.users, split.test.users), np.append(split.train.items, items),
            np.append(split.train.times, split.test.times), n_users=split.train.n_users, n_items=split.train.n_items,
        )  # fmt: skip
        (again,) = Temporal(at=CUT).splits(moved)
        model = make(name, log, logged)
        model.fit(again.train)
        lists.append(model.recommend(np.arange(10), 5)[0].tolist())
    assert lists[0] == lists[1]


def test_the_engine_is_given_of_a_newcomer_what_the_protocol_gives_and_no_more() -> None:
    log, logged = log_with_a_future(1)
    (split,) = UserColdStart(at=CUT, known=1).splits(logged.interactions)
    assert split.history is not None
    model = EngineModel(log, logged, CONFIG)
    model.fit(split.train)
    lists, _ = model.recommend(split.users, 5, history=split.history)
    own = set(zip(split.history.users.tolist(), split.history.items.tolist(), strict=True))
    assert (
        not {(user, item) for user, row in zip(split.users.tolist(), lists.tolist(), strict=True) for item in row} & own
    )
