"""Items that nobody has been shown, and users who have done nothing: what is said of them counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.clock import HOUR, MINUTE, ManualClock
from feedmill.domain.records import Item, Record, User
from feedmill.measure.metrics import auc
from feedmill.run.engine import Engine

START = 1_700_000_000_000
TOPICS, USERS, ITEMS, SHOWN = ("space", "love", "crime", "cars", "food"), 40, 100, 3_000
NOW = START + SHOWN * MINUTE
NEW = [f"new-{number}" for number in range(50)]
"""Items that come when all has been shown."""
IDS_ALONE = ('features.groups=[["user"],["item"]]', "features.crosses=[]", 'ranker.slots=["user","item"]')


def log() -> list[Record]:
    """Impressions of people who click on two topics eight times in ten, on others one time in ten; then new items, and
    pairs of newcomers of whom one says what he likes."""
    generator = np.random.default_rng(0)
    records = [item(f"old-{number}", number, START) for number in range(ITEMS)]
    for number in range(SHOWN):
        user, shown = int(generator.integers(USERS)), int(generator.integers(ITEMS))
        clicked = generator.random() < (0.8 if likes(user, shown) else 0.1)
        outcomes = {"click": 1.0} if clicked else {"view": 1.0}
        time, name = START + number * MINUTE, f"user-{user}"
        records.append(Record("seen", time, name, f"old-{shown}", event_id=f"e{number}", outcomes=outcomes))
    records += [item(name, number, NOW - HOUR) for number, name in enumerate(NEW)]
    for number, topic in enumerate(TOPICS):
        records.append(Record("user", NOW, f"told-{number}", body=User(interests=(topic,))))
        records.append(Record("user", NOW, f"silent-{number}", body=User()))
    return records


def item(name: str, number: int, time: int) -> Record:
    body = Item(categories=(TOPICS[number % len(TOPICS)],), author_id=f"author-{number % 7}", created_at=time)
    return Record("item", time, object=name, body=body)


def likes(user: int, number: int) -> bool:
    return (number - user) % len(TOPICS) < 2


def learned(folder: Path, *arguments: str) -> Iterator[Engine]:
    with Engine.open(folder, create=True, arguments=arguments, environment={}, clock=ManualClock(NOW)) as engine:
        with engine.ingest() as ingest:
            ingest.ingest(log())
        engine.catch_up()
        yield engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    yield from learned(tmp_path_factory.mktemp("content") / "home")


@pytest.fixture(scope="module")
def engine_of_ids(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    yield from learned(tmp_path_factory.mktemp("ids") / "home", *IDS_ALONE)


def order(engine: Engine, user_id: str, names: list[str], truth: list[bool]) -> float:
    """The chance that what the user likes is ranked above what he does not; equal scores count half."""
    ranked = engine.feed.rank(engine.request(user_id), names).page.items
    score = {found.item_id: round(found.score, 5) for found in ranked}
    return auc(truth, [score[name] for name in names])


def of_new_items(engine: Engine) -> float:
    return float(
        np.mean([order(engine, f"user-{u}", NEW, [likes(u, n) for n in range(len(NEW))]) for u in range(USERS)])
    )


def of_newcomers(engine: Engine, kind: str) -> float:
    names = [f"old-{number}" for number in range(ITEMS)]
    return float(
        np.mean(
            [
                order(engine, f"{kind}-{number}", names, [n % len(TOPICS) == number for n in range(ITEMS)])
                for number in range(len(TOPICS))
            ]
        )
    )


def test_items_that_nobody_was_shown_are_ranked_by_what_they_are_about(engine: Engine) -> None:
    assert of_new_items(engine) > 0.8


def test_by_ids_alone_such_items_cannot_be_told_apart(engine_of_ids: Engine) -> None:
    assert of_new_items(engine_of_ids) == pytest.approx(0.5, abs=0.02)


def test_a_newcomer_who_says_what_he_likes_is_shown_it_above_one_who_does_not(engine: Engine) -> None:
    silent = of_newcomers(engine, "silent")
    # Of all topics alike: what one likes another does not.
    assert silent == pytest.approx(0.5, abs=0.05)
    assert of_newcomers(engine, "told") > silent + 0.2
