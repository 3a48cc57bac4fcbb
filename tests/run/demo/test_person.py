"""The person at the phone: what is shown, what is told, and what the engine makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from feedmill.client import Client, FeedmillHTTPError, PageItem
from feedmill.domain.clock import SECOND
from feedmill.domain.errors import Unavailable
from feedmill.domain.records import Record, Served
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.run.config import load_config
from feedmill.run.demo.person import BELIEFS, PHONE, Person, ahead_of
from feedmill.run.demo.telling import Reaction
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.testing.serving import wait_for
from feedmill.testing.world_server import WorldServer

TOPICS = ("cats", "cooking", "space", "dance")
OF_EACH = 15
RECENT = {topic: tuple(f"{topic}-{n}" for n in range(3)) for topic in TOPICS}


@pytest.fixture(scope="module")
def client(served: WorldServer) -> Iterator[Client]:
    """A catalogue in which a quarter is about each topic, and of which nobody has seen anything."""
    with Client(served.url) as client:
        with pytest.raises(Unavailable, match="nothing to show"):
            Person(client, served.clock, dict).next()
        client.put_items(
            {
                "item_id": f"{topic}-{n}",
                "title": f"{topic} number {n}",
                "author_id": f"{topic}-studio",
                "categories": [topic],
                "tags": [topic, "short"],
                "duration": 20,
                "attributes": {"mood": "calm"},
                "created_at": served.clock.now() - n * SECOND,
                "timestamp": served.clock.now(),
            }
            for topic in TOPICS
            for n in range(OF_EACH)
        )
        yield client


@pytest.fixture
def person(served: WorldServer, client: Client) -> Person:
    return Person(client, served.clock, lambda: RECENT)


def test_a_card_says_what_it_is_and_why_it_is_shown(person: Person) -> None:
    card = person.next()
    topic, _, number = card.item_id.partition("-")
    assert (card.title, card.author_id) == (f"{topic} number {number}", f"{topic}-studio")
    assert (card.topic, card.topics, card.mood, card.duration) == (topic, (topic,), "calm", 20.0)
    assert card.sources
    assert card.why
    assert set(card.predictions) == {"watched", "like"}
    assert card.rank == 1
    assert 12 <= card.considered <= len(TOPICS) * OF_EACH
    assert card.title not in [title for title, _ in card.ahead_of]


def on_page(title: str, score: float) -> PageItem:
    return PageItem(
        position=1, item_id=title, title=title, sources=[], predictions={}, score=score, probability=None, why="",
        repeated=False,
    )  # fmt: skip


def test_a_card_is_ahead_of_the_best_that_score_less_and_never_of_what_scores_more() -> None:
    after = [on_page("varied", 0.2), on_page("more", 0.7), on_page("next", 0.49), on_page("level", 0.5)]
    assert ahead_of(0.5, after) == (("next", 0.49), ("varied", 0.2))
    assert ahead_of(0.1, after) == ()


def test_a_card_that_is_not_ahead_of_all_that_follow_is_there_for_variety(person: Person, client: Client) -> None:
    for _ in range(10):
        card = person.next()
        page = client.explain(card.request_id, card.item_id)["items"]
        later = [one["score"] for one in page[card.rank :]]
        assert page[card.rank - 1]["item_id"] == card.item_id
        assert card.varied == (max(later) > card.score)
        assert all(score < card.score for _, score in card.ahead_of)
        person.react(Reaction(card.item_id, card.request_id, 1.0 if card.topic == "dance" else 0.1))


def test_asked_again_without_a_reaction_it_is_the_same_card(person: Person) -> None:
    assert person.next().item_id == person.next().item_id


def test_what_was_looked_at_does_not_come_again(person: Person) -> None:
    shown = []
    for _ in range(12):
        card = person.next()
        shown.append(card.item_id)
        person.react(Reaction(card.item_id, card.request_id, 0.5))
    assert len(set(shown)) == 12


def test_who_loves_one_topic_gets_at_least_twice_as_much_of_it_after_twenty_cards(person: Person) -> None:
    loved = "dance"
    shown = []
    for _ in range(30):
        card = person.next()
        about = card.topic == loved
        shown.append(about)
        # Ten cards that are all the same to the person; then one topic is loved, and the rest is passed over.
        dull = Reaction(card.item_id, card.request_id, 0.3)
        loving = Reaction(card.item_id, card.request_id, 1.0, ("like",))
        passing = Reaction(card.item_id, card.request_id, 0.04, ("skip",))
        person.react(dull if len(shown) <= 10 else loving if about else passing)
    before, after = sum(shown[:10]), sum(shown[20:])
    # Of fifteen there are at most some ten left.
    assert after >= min(2 * before, 6)


def test_of_every_topic_that_has_items_something_is_believed_the_best_first(person: Person) -> None:
    beliefs = person.beliefs()
    assert {belief.topic for belief in beliefs} == set(TOPICS)
    shares = [belief.watched for belief in beliefs]
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= share <= 1 for share in shares)


def test_what_is_hidden_stays_hidden(person: Person, client: Client) -> None:
    card = person.next()
    person.react(Reaction(card.item_id, card.request_id, 0.0, ("hide",)))
    assert person.next().item_id != card.item_id
    # Also where seen items may come back: a ranking leaves it out.
    ranked = client.rank(person.user_id, [card.item_id], surface=BELIEFS)
    assert [left["item_id"] for left in ranked["left_out"]] == [card.item_id]


def test_who_follows_an_author_is_known_to(person: Person, served: WorldServer) -> None:
    card = person.next()
    person.react(Reaction(card.item_id, card.request_id, 1.0, ("like", "follow")))
    relations = [record for record in _log(served) if record.kind == "relation" and record.subject == person.user_id]
    assert [(one.action, one.object, one.object_kind) for one in relations] == [("follow", card.author_id, "author")]


def test_a_follow_is_known_before_the_card_is_left_and_once(person: Person, served: WorldServer) -> None:
    card = person.next()
    person.follow(card.item_id)
    followed = [record.object for record in _log(served) if record.kind == "relation"]
    assert followed.count(card.author_id) >= 1
    before = len(followed)
    person.follow(card.item_id)
    person.react(Reaction(card.item_id, card.request_id, 1.0, ("follow",)))
    assert len([record for record in _log(served) if record.kind == "relation"]) == before


def test_what_cannot_be_is_refused(person: Person) -> None:
    card = person.next()
    with pytest.raises(FeedmillHTTPError) as refused:
        person.react(Reaction(card.item_id, card.request_id, 1e300))
    assert "outcomes" in refused.value.errors[0]["field"]
    assert person.next().item_id != card.item_id


def test_each_reaction_is_learned_once_and_what_nobody_has_seen_is_not(person: Person, served: WorldServer) -> None:
    reactions = []
    for number in range(3):
        card = person.next()
        person.beliefs()
        reactions.append(Reaction(card.item_id, card.request_id, 0.25 * (number + 1), ("like",) * (number == 2)))
        person.react(reactions[-1])
        # Sent again, as by a hand that was too quick, it changes nothing.
        person.react(reactions[-1])
    person.beliefs()
    records = _log(served)
    pages = [record.body for record in records if record.subject == person.user_id and record.kind == "served"]
    surfaces = {page.surface for page in pages if isinstance(page, Served)}
    assert surfaces == {PHONE, BELIEFS}
    config = load_config(served.home.config)
    learner = Learner(config.learning(), SlotRegistry())
    own = np.uint64(0)
    labels = []
    for start in range(0, len(records), 256):
        examples = learner.step(records[start : start + 256]).examples
        own = learner.state.catalog.users.keys[learner.state.user(person.user_id)]
        labels += examples.labels[examples.users == own].tolist()
    assert labels == [[0.25, 0.0], [0.5, 0.0], [0.75, 1.0]]


def test_a_reaction_is_in_the_parameters_within_a_moment(person: Person, client: Client) -> None:
    card = person.next()
    person.react(Reaction(card.item_id, card.request_id, 1.0, ("like",)))
    position = client.status()["log_end"]
    wait_for(lambda: client.status()["freshness"]["parameters_position"] >= position, 30)


def _log(served: WorldServer) -> list[Record]:
    log = SqliteLog(served.home.log, read_only=True)
    try:
        return log.read(0, log.end())[0]
    finally:
        log.close()
