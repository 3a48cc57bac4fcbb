"""Nothing that happens after the moment of the cut changes what was predicted before it, for any protocol and model."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feedmill.domain.batches import Examples
from feedmill.domain.clock import MINUTE
from feedmill.domain.records import Item, Record, User
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.named import BATCH_MODELS, CLICK_MODELS
from feedmill.learn.segments import SegmentsConfig, find_segments
from feedmill.learn.training.learner import Learner
from feedmill.measure.evaluation.protocol import EvaluationProtocol, Recommender, Split
from feedmill.run.config import load_config
from feedmill.run.evaluation.described import DescribedModel
from feedmill.run.evaluation.engine_model import NAME, EngineModel
from feedmill.run.evaluation.logged import Logged, read_log
from feedmill.run.evaluation.models import make_click_model, make_model
from feedmill.run.evaluation.protocols import RANKING_PROTOCOLS, make_protocol
from feedmill.run.replay import Replay, replay
from feedmill.testing.memory_log import MemoryLog

START = 1_700_000_000_000
USERS, ITEMS, ROWS, PAST = 30, 25, 400, 300
CUT = START + PAST * MINUTE
K = 5
MODELS = {
    **{name: name for name in BATCH_MODELS},
    "als": "als:factors=4:iterations=3",
    "bpr": "bpr:factors=4:iterations=5",
    "svd": "svd:factors=4",
    "matrix-factorisation": "matrix-factorisation:factors=4:epochs=2",
    "content with attributes": "content:attributes=year=median+length=nearest",
    "weighted with content": "weighted:models=content+popularity",
    "stacked with content": "stacked:models=content+item-neighbours",
    NAME: NAME,
}
"""Every model of lists, small."""
CLICKS = {
    **{name: name for name in CLICK_MODELS},
    "random-forest": "random-forest:trees=5",
    "boosted-trees": "boosted-trees:trees=5",
}
CONFIG = load_config(
    arguments=["ranker.dimension=2", "ranker.hidden=[4]", "retrieval.dimension=2", "training.batch=50"]
)
SETTINGS = {name: {"at": CUT} for name in ("temporal", "user-cold-start", "item-cold-start")} | {
    "user-folds": {"folds": 3, "known": 0.5},
    "interaction-folds": {"folds": 3},
}
PROTOCOLS = [
    *(make_protocol(name, SETTINGS.get(name, {})) for name in RANKING_PROTOCOLS),
    make_protocol("user-cold-start", {"at": CUT, "known": 0}),
]
IN_TIME = [protocol for protocol in PROTOCOLS if protocol.respects_time]


def named(protocol: EvaluationProtocol) -> str:
    return f"{protocol.name}{getattr(protocol, 'known', '')}"


def described(name: str, time: int, generator: np.random.Generator) -> Record:
    attributes = {"year": float(generator.integers(1990, 2020)), "length": float(generator.integers(60, 200))}
    attributes = {key: value for key, value in attributes.items() if generator.random() < 0.8}
    body = Item(title=f"word{generator.integers(5)}", tags=(f"t{generator.integers(3)}",), attributes=attributes)
    return Record("item", time, object=name, body=body)


def past_and_future(seed: int) -> tuple[MemoryLog, Logged]:
    """The same past for every seed. Behind the cut other likes and impressions, and other descriptions of what was
    known. Three newcomers and five new items come whatever the seed; what they are like at first is always the same.

    No user meets an item twice.
    """
    past, always, future = (np.random.default_rng(part) for part in (0, 1, [2, seed]))
    pairs = past.permutation(USERS * ITEMS)
    records = [described(f"i{n}", START, past) for n in range(ITEMS)]
    records += [Record("user", START, f"u{n}", body=User(interests=(f"t{n % 3}",))) for n in range(USERS)]
    records += [happened(past, n, pair) for n, pair in enumerate(pairs[:PAST].tolist())]
    records += [described(f"new{n}", CUT, always) for n in range(5)]
    first = always.permutation(ITEMS)[:9].tolist()
    records += [like(f"newcomer{n % 3}", f"i{item}", CUT + n) for n, item in enumerate(first)]
    records += [described(f"i{n}", CUT + MINUTE, future) for n in range(0, ITEMS, 2)]
    records += [described(f"new{n}", CUT + MINUTE, future) for n in range(5)]
    records += [Record("user", CUT + MINUTE, f"u{n}", body=User(interests=(f"t{seed % 3}",))) for n in range(USERS)]
    rest = future.permutation(pairs[PAST:])[: ROWS - PAST]
    records += [happened(future, PAST + n, pair) for n, pair in enumerate(rest.tolist())]
    end = START + ROWS * MINUTE
    then = [item for item in future.permutation(ITEMS).tolist() if item not in first]
    records += [like(f"newcomer{n % 3}", f"i{item}", end + n) for n, item in enumerate(then)]
    records += [
        like(f"u{user}", f"new{user % 5}", end + ITEMS + user) for user in future.permutation(USERS) if user % 2
    ]
    log = MemoryLog()
    log.append(records)
    return log, read_log(log, CONFIG)


def like(user: str, item: str, time: int) -> Record:
    return Record("event", time, user, item, "like", event_id=f"{user} {item}")


def happened(generator: np.random.Generator, n: int, pair: int) -> Record:
    """Of three one is an impression, which is followed by a click or by nothing; the others are likes."""
    user, item, time = f"u{pair // ITEMS}", f"i{pair % ITEMS}", START + n * MINUTE
    if n % 3:
        return like(user, item, time)
    outcomes = {"click": 1.0} if generator.random() < 0.5 else {"view": 1.0}
    return Record("seen", time, user, item, event_id=f"{user} {item}", outcomes=outcomes)


def make(name: str, log: MemoryLog, logged: Logged) -> Recommender:
    if name == NAME:
        return EngineModel(log, logged, CONFIG)
    return DescribedModel(make_model(MODELS[name], 0), logged)


def asked(model: Recommender, split: Split, users: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Learned and asked as an evaluation does it; other users than those of the test where they are named."""
    model.fit(split.train)
    users = split.users if users is None else users
    return model.recommend(users, K, history=split.history, candidates=split.candidates)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("protocol", IN_TIME, ids=named)
def test_another_future_gives_the_same_predictions(protocol: EvaluationProtocol, name: str) -> None:
    answers = []
    who = [f"newcomer{n}" for n in range(3)] if protocol.name == "user-cold-start" else [f"u{n}" for n in range(10)]
    for seed in (1, 2):
        log, logged = past_and_future(seed)
        (split,) = protocol.splits(logged.interactions)
        users = np.array([logged.user_ids.index(user) for user in who])
        if protocol.name == "user-cold-start":
            assert set(users) <= set(split.users.tolist())
        items, scores = asked(make(name, log, logged), split, users)
        answers.append(([[logged.item_ids[item] if item >= 0 else "" for item in row] for row in items], scores))
    assert answers[0][0] == answers[1][0]
    assert answers[0][1].tobytes() == answers[1][1].tobytes()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=named)
def test_what_is_asked_for_is_no_part_of_what_was_learned(protocol: EvaluationProtocol, name: str) -> None:
    """With what is asked for moved to other items, in the log itself, the same lists come out."""
    log, logged = past_and_future(1)
    split = next(iter(protocol.splits(logged.interactions)))
    moved_log, moved = with_labels_moved(log, logged, split)
    again = next(iter(protocol.splits(moved.interactions)))
    assert set(again.test.pairs().tolist()) != set(split.test.pairs().tolist())
    assert again.users.tolist() == split.users.tolist()
    first, second = asked(make(name, log, logged), split), asked(make(name, moved_log, moved), again)
    assert first[0].tolist() == second[0].tolist()
    assert first[1].tobytes() == second[1].tobytes()


def with_labels_moved(log: MemoryLog, logged: Logged, split: Split) -> tuple[MemoryLog, Logged]:
    """The log in which the users who are asked for have taken to each other's items instead, each pair still once, and
    no new item before it was described."""
    records, _ = log.read(0, log.end())
    place = {(record.subject, record.object): n for n, record in enumerate(records) if record.subject and record.object}
    rows = [
        place[logged.user_ids[user], logged.item_ids[item]]
        for user, item in zip(split.test.users, split.test.items, strict=True)
    ]
    taken, generator = set(place), np.random.default_rng(3)
    for one, other in generator.choice(rows, (20 * len(rows), 2)).tolist():
        first, second = records[one], records[other]
        changed = {(first.subject, second.object), (second.subject, first.object)}
        if not changed & taken and first.object.startswith("new") == second.object.startswith("new"):
            taken = (taken | changed) - {(first.subject, first.object), (second.subject, second.object)}
            records[one] = msgspec.structs.replace(first, object=second.object)
            records[other] = msgspec.structs.replace(second, object=first.object)
    moved = MemoryLog()
    moved.append(records)
    return moved, read_log(moved, CONFIG)


def replayed(log: MemoryLog, folder: Path, frozen_from: int | None) -> dict[str, np.ndarray]:
    def start(place: Path | None) -> Replay:
        learner = Learner(CONFIG.learning(), SlotRegistry(), learn_retrieval=False, folder=place)
        return Replay(log, learner, frozen_from=frozen_from)

    done = replay(start, folder, snapshot_steps=1_000)
    assert done is not None
    return done.columns()


@pytest.mark.parametrize("frozen_from", [None, CUT], ids=["online", "frozen"])
def test_another_future_changes_nothing_in_what_a_replay_predicted_before_it(
    frozen_from: int | None, tmp_path: Path
) -> None:
    one, other = (replayed(past_and_future(seed)[0], tmp_path / str(seed), frozen_from) for seed in (1, 2))
    before = one["timestamps"] < CUT
    assert 50 < before.sum() < len(before)
    assert not np.array_equal(one["predictions"][~before], other["predictions"][~before])
    same = other["timestamps"] < CUT
    np.testing.assert_allclose(one["predictions"][before], other["predictions"][same], rtol=1e-5)


def learned_from(log: MemoryLog, until: int) -> Examples:
    """The examples that were there at a moment."""
    learner = Learner(CONFIG.learning(), SlotRegistry(), learn_retrieval=False)
    records, _ = log.read(0, log.end())
    past = [record for record in records if record.timestamp < until]
    assert records[: len(past)] == past
    steps = [learner.step(records[start : min(start + 50, len(past))]) for start in range(0, len(past), 50)]
    return Examples.concatenate([step.examples for step in steps])


@pytest.mark.parametrize("name", CLICKS)
def test_another_future_changes_nothing_in_what_a_click_model_predicts(name: str) -> None:
    predicted = []
    for seed in (1, 2):
        examples = learned_from(past_and_future(seed)[0], CUT)
        binary = [objective.kind == "binary" for objective in CONFIG.objectives.values()]
        model = make_click_model(CLICKS[name], 0).fit(examples, binary)
        predicted.append(model.predict(examples.features))
    assert predicted[0].tobytes() == predicted[1].tobytes()


def test_another_future_puts_no_user_into_another_segment() -> None:
    found = []
    for seed in (1, 2):
        interactions = past_and_future(seed)[1].interactions
        past = interactions.take(interactions.times < CUT)
        found.append(find_segments(past, SegmentsConfig(most=3, factors=4)).of_users[: interactions.n_users])
    assert found[0].tolist() == found[1].tolist()


@pytest.mark.parametrize("name", ["content", NAME])
def test_items_that_were_described_when_all_had_happened_are_recommended(name: str) -> None:
    """As where an application brings in its log first and its items then."""
    generator = np.random.default_rng(0)
    records = [happened(generator, n, pair) for n, pair in enumerate(generator.permutation(USERS * ITEMS)[:PAST])]
    log = MemoryLog()
    log.append([*records, *(described(f"i{n}", CUT, generator) for n in range(ITEMS))])
    logged = read_log(log, CONFIG)
    (split,) = make_protocol("temporal", {}).splits(logged.interactions)
    assert (asked(make(name, log, logged), split)[0] >= 0).all()
