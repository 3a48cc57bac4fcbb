import numpy as np
import pytest

from feedmill.domain.records import decode_record, encode_record
from feedmill.simulation import World, WorldConfig
from feedmill.simulation.config import ActionConfig
from feedmill.simulation.records import arrivals_of, seen_in


@pytest.fixture
def world():
    # People who act a lot, so that every action is there to be seen.
    actions = ActionConfig(like=0.5, share=0.4, comment=0.4, save=0.4, follow=0.4, hide=0.4, report=0.4)
    config = WorldConfig(
        users=200, late_users=0, authors=10, backlog=100, births_per_day=20, days=1, feeds_per_day=20, actions=actions
    )
    return World(config, np.random.default_rng(0))


def test_births_and_joins_are_upserts_in_order_of_time(world):
    records = arrivals_of(world, world.step())
    assert [record.timestamp for record in records] == sorted(record.timestamp for record in records)
    items = [record for record in records if record.kind == "item"]
    users = [record for record in records if record.kind == "user"]
    assert len(users) == 200
    assert len(items) >= 100
    assert {record.object for record in items} == set(world.items.ids[: len(items)])
    for record in items:
        assert record.timestamp == record.body.created_at
        assert record.body.title
        assert record.body.categories[0] in record.body.tags
        assert record.body.author_id.rsplit("-", 1)[1].isdigit()
    assert 0 < sum(bool(record.body.interests) for record in users) < 200


def test_an_impression_carries_what_followed(world):
    step = world.step()
    responses = world.respond(step.arrivals, world.oracle(step.arrivals, 10))
    requests = [f"request-{row}" for row in range(len(step.arrivals))]
    records = seen_in(world, responses, requests)
    assert [record.timestamp for record in records] == sorted(record.timestamp for record in records)
    seen = [record for record in records if record.kind == "seen"]
    assert len(seen) == responses.seen.sum()
    happened = {
        "click": responses.clicked,
        "like": responses.liked,
        "share": responses.shared,
        "comment": responses.commented,
        "save": responses.saved,
        "follow": responses.followed,
        "hide": responses.hidden,
        "report": responses.reported,
        "skip": responses.skipped,
    }
    for action, column in happened.items():
        assert sum(action in record.outcomes for record in seen) == column.sum() > 0
    assert {action for record in seen for action in record.outcomes} == {*happened, "watched", "view"}
    row = {world.users.ids[user]: number for number, user in enumerate(step.arrivals)}
    for record in seen:
        number, place = row[record.subject], record.context["position"]
        assert record.request_id == requests[number]
        assert record.object == world.items.ids[responses.items[number, place]]
        assert record.outcomes["watched"] == pytest.approx(responses.watched[number, place])
        assert record.outcomes["view"] == pytest.approx(responses.seconds[number, place])
        assert record.outcomes["view"] <= world.items.bodies[responses.items[number, place]].duration


def test_a_follow_is_a_relation_too(world):
    follows, relations = 0, []
    for _ in range(10):
        step = world.step()
        responses = world.respond(step.arrivals, world.oracle(step.arrivals, 10))
        follows += responses.followed.sum()
        relations += [record for record in seen_in(world, responses) if record.kind == "relation"]
    assert len(relations) == follows > 0
    assert {(record.action, record.object_kind) for record in relations} == {("follow", "author")}


def test_records_can_be_told_apart_and_survive_the_log(world):
    records = []
    for _ in range(6):
        step = world.step()
        records += seen_in(world, world.respond(step.arrivals, world.oracle(step.arrivals, 10)))
    assert len({record.event_id for record in records}) == len(records)
    assert [decode_record(encode_record(record)) for record in records[:50]] == records[:50]
