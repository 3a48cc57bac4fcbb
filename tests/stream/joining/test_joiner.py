"""Each line of what the joiner promises, on logs of a few records."""

from __future__ import annotations

import shutil
import tracemalloc

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.clock import HOUR
from feedmill.domain.errors import ConfigError, SnapshotError
from feedmill.domain.objectives import Objective
from feedmill.domain.records import Item, Record, Served
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.models.ranker import ranker_schema
from feedmill.stream.features.pack import unpack
from feedmill.stream.joining.config import JoinConfig
from feedmill.stream.state.state import Emit
from feedmill.testing.joiner_feed import (
    EVERYTHING,
    SCHEMA,
    Example,
    Feed,
    act,
    at,
    bytes_of,
    corrected,
    heartbeat,
    marks,
    page,
    readable,
    seen,
)  # fmt: skip
from feedmill.testing.small_log import FEATURES, OBJECTIVES, SMALL, small_log


def test_an_impression_waits_for_the_watermark_and_is_labelled_with_what_followed() -> None:
    feed = Feed()
    assert feed.examples(seen(0), act(1, "click"), act(2, "view", value=30.0), act(3, "view", value=5.0)) == []
    assert feed.joiner.waiting == 1
    assert feed.examples(heartbeat(9.99)) == []
    assert feed.examples(heartbeat(10)) == [Example("u0", "i0", [1.0, 0.0, 3.5], EVERYTHING, 0)]
    assert feed.joiner.waiting == 0


def test_an_impression_that_nothing_follows_is_a_negative() -> None:
    feed = Feed()
    feed.push(seen(0))
    assert feed.examples(seen(10, "i1")) == [Example("u0", "i0", [0.0, 0.0, 0.0], EVERYTHING, 0)]


def test_descriptions_do_not_end_a_wait() -> None:
    feed = Feed()
    feed.push(seen(0))
    assert feed.examples(Record("item", at(600), object="i0", body=Item(tags=("t",)))) == []
    assert feed.joiner.waiting == 1


def test_what_is_reported_late_has_its_window_too() -> None:
    feed = Feed()
    feed.push(heartbeat(300))
    assert feed.examples(seen(0), act(1, "click")) == []
    assert feed.examples(heartbeat(309)) == []
    assert feed.examples(heartbeat(310)) == [Example("u0", "i0", [1.0, 0.0, 0.0], EVERYTHING, 0)]


def test_an_impression_with_its_outcomes_is_an_example_at_once() -> None:
    feed = Feed()
    joined = Record("seen", at(0), "u0", "i0", outcomes={"click": 1.0, "view": 7.0})
    assert feed.examples(joined) == [Example("u0", "i0", [1.0, 0.0, pytest.approx(0.7)], EVERYTHING, 0)]
    feed.push(seen(0, "i1"))
    assert feed.examples(joined, heartbeat(10)) == [
        Example("u0", "i0", [1.0, 0.0, pytest.approx(0.7)], EVERYTHING, 0),
        Example("u0", "i1", [0.0, 0.0, 0.0], EVERYTHING, 0),
    ]


def test_an_impression_that_is_reported_again_is_the_same() -> None:
    feed = Feed()
    feed.push(seen(0, request="r"), act(1, "click", request="r"), seen(2, request="r"))
    assert feed.joiner.waiting == 1
    assert feed.examples(heartbeat(20)) == [Example("u0", "i0", [1.0, 0.0, 0.0], EVERYTHING, 0)]
    assert feed.examples(seen(3, request="r"), heartbeat(60)) == []


def test_an_action_belongs_to_the_impression_of_its_request() -> None:
    feed = Feed()
    feed.push(seen(0, request="a"), seen(1, request="b"), act(2, "click", request="a"))
    assert feed.examples(heartbeat(20)) == [
        Example("u0", "i0", [1.0, 0.0, 0.0], EVERYTHING, 0), Example("u0", "i0", [0.0, 0.0, 0.0], EVERYTHING, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("request_id", ["", "a request that was never served"])
def test_an_action_of_no_known_request_belongs_to_the_last_impression_of_its_user_and_item(request_id: str) -> None:
    feed = Feed()
    feed.push(seen(0), seen(1), seen(2, user="u1"), seen(2, "i1"), act(3, "click", request=request_id))
    assert [(example.user, example.item, example.labels[0]) for example in feed.examples(heartbeat(20))] == [
        ("u0", "i0", 0.0), ("u0", "i0", 1.0), ("u1", "i0", 0.0), ("u0", "i1", 0.0),
    ]  # fmt: skip


def test_an_action_that_comes_twice_combines_as_its_action_says() -> None:
    feed = Feed()
    feed.push(seen(0), act(1, "click"), act(1, "click"), act(1, "view", value=4.0), act(1, "view", value=4.0))
    assert feed.examples(heartbeat(10))[0].labels == [1.0, 0.0, pytest.approx(0.8)]


def test_an_action_after_the_window_corrects_what_it_changes() -> None:
    feed = Feed()
    feed.push(seen(0), act(1, "view", value=10.0))
    assert len(feed.examples(heartbeat(10))) == 1
    click, view = [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]
    assert feed.examples(act(11, "click")) == corrected([0.0, 0.0, 1.0], [1.0, 0.0, 1.0], click, 0)
    assert feed.examples(act(12, "click")) == []
    assert feed.examples(act(13, "like")) == []
    assert feed.examples(act(69, "view", value=5.0)) == corrected([1.0, 0.0, 1.0], [1.0, 0.0, 1.5], view, 0)


def test_an_action_after_all_is_forgotten_teaches_nothing() -> None:
    feed = Feed()
    feed.push(seen(0, request="r"), heartbeat(10))
    assert feed.examples(act(70, "click", request="r")) == []
    assert feed.examples(heartbeat(200)) == []
    assert feed.joiner.dump() == Feed().joiner.dump()


def test_an_action_that_ends_the_window_comes_after_it() -> None:
    feed = Feed()
    assert feed.examples(seen(0), act(10, "click")) == [
        Example("u0", "i0", [0.0, 0.0, 0.0], EVERYTHING, 0),
        *corrected([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], 0),
    ]


def test_a_page_on_a_surface_where_served_means_seen_is_impressions() -> None:
    feed = Feed()
    feed.push(page(0, ["i0", "i1"], surface="wall"), act(1, "click", "i1", "r"))
    assert feed.examples(seen(2, "i0", "r"), heartbeat(10)) == [
        Example("u0", "i0", [0.0, 0.0, 0.0], EVERYTHING, 0), Example("u0", "i1", [1.0, 0.0, 0.0], EVERYTHING, 0),
    ]  # fmt: skip


def test_a_page_elsewhere_is_no_impression() -> None:
    feed = Feed()
    assert feed.examples(page(0, ["i0"], feed.logged(["i0"], 0)), heartbeat(100)) == []


@pytest.mark.parametrize("surface", ["feed", "wall"])
def test_the_features_of_an_impression_are_those_logged_when_it_was_served(surface: str) -> None:
    feed = Feed()
    packed = feed.logged(["i1", "i0", "i2"], 0, mark=-70.0)
    feed.push(page(0, ["i1", "i0", "i2"], packed, surface=surface))
    examples = feed.push(seen(1, "i0", "r"), seen(1, "i1", "r"), seen(1, "i3", "r"), heartbeat(30))
    logged = unpack(packed, 3)
    for place, item in enumerate(["i1", "i0"]):
        row = [example.item for example in readable(examples)].index(item)
        found, expected = examples.features.take(np.array([row])), logged.take(np.array([place]))
        assert found.ids.tobytes() == expected.ids.tobytes()
        assert found.offsets.tobytes() == expected.offsets.tobytes()
        assert found.dense.tobytes() == expected.dense.tobytes()
    assert marks(examples)["i3"] > -10
    assert feed.joiner.unreadable_features == 0


def test_features_that_were_not_logged_are_those_at_the_place_of_the_impression() -> None:
    feed, other = Feed(), Feed()
    before = [Record("seen", at(-5), "u0", f"i{n}", outcomes={"click": 1.0}) for n in range(4)]
    folded = other.state.fold([*before, seen(0)], [Emit(SCHEMA.view, "examples")]).emitted[0].features
    feed.push(*before)
    feed.push(seen(0))
    later = [Record("seen", at(5), "u0", f"i{n}", outcomes={"click": 1.0}) for n in range(4)]
    examples = feed.push(*later, heartbeat(20))
    assert readable(examples)[4].minute == 0
    found, expected = examples.features.take(np.array([4])), folded.take(np.array([4]))
    assert found.ids.tobytes() == expected.ids.tobytes()
    assert found.dense.tobytes() == expected.dense.tobytes()


def test_logged_features_that_cannot_be_read_or_are_of_another_schema_are_counted_and_not_used() -> None:
    other = ranker_schema(SlotRegistry(), FEATURES, RankerConfig(slots=("item", "user"), dimension=4), len(OBJECTIVES))
    feed = Feed()
    logged = {
        "damaged": b"damaged",
        "foreign": Feed(other).logged(["i1"], 0, mark=-7.0),
        "endless": feed.logged(["i2"], 0, mark=-np.inf),
        "of two": feed.logged(["i3", "i4"], 0, mark=-7.0),
        "sound": feed.logged(["i4"], 0, mark=-7.0),
    }
    for number, (request, features) in enumerate(logged.items()):
        feed.push(page(0, [f"i{number}"], features, request))
    examples = feed.push(*(seen(1, f"i{n}", request) for n, request in enumerate(logged)), heartbeat(20))
    assert [example.item for example in readable(examples)] == ["i0", "i1", "i2", "i3", "i4"]
    assert (examples.features.dense[:, 0] == -7.0).tolist() == [False, False, False, False, True]
    assert feed.joiner.unreadable_features == 4


def test_an_action_on_a_page_makes_impressions_of_its_item_and_of_those_above() -> None:
    feed = Feed()
    items = [f"i{n}" for n in range(5)]
    feed.push(page(0, items, feed.logged(items, 0, mark=-9.0)), act(2, "click", "i2", "r"))
    assert feed.joiner.waiting == 3
    examples = feed.push(seen(3, "i0", "r"), seen(3, "i2", "r"), heartbeat(20))
    assert readable(examples) == [
        Example("u0", "i0", [0.0, 0.0, 0.0], EVERYTHING, 0), Example("u0", "i1", [0.0, 0.0, 0.0], EVERYTHING, 0),
        Example("u0", "i2", [1.0, 0.0, 0.0], EVERYTHING, 0),
    ]  # fmt: skip
    assert examples.features.dense[:, 0].tolist() == [-9.0, -8.0, -7.0]


def test_a_page_without_features_tells_nothing_of_what_nobody_reported() -> None:
    feed = Feed()
    feed.push(page(0, ["i0", "i1"]), act(2, "click", "i1", "r"))
    assert feed.joiner.waiting == 0


def test_items_above_are_told_of_though_the_acted_one_was_reported() -> None:
    feed = Feed()
    items = [f"i{n}" for n in range(3)]
    feed.push(page(0, items, feed.logged(items, 0)), seen(1, "i1", "r"))
    feed.push(act(2, "click", "i1", "r"), act(2, "like", "i1", "r"))
    examples = {example.item: example.labels for example in feed.examples(heartbeat(20))}
    assert examples == {"i0": [0.0, 0.0, 0.0], "i1": [1.0, 0.0, 0.0]}


def test_an_action_that_overtakes_its_page_opens_it_when_it_comes() -> None:
    feed, other = Feed(), Feed()
    items = [f"i{n}" for n in range(3)]
    logged = feed.logged(items, 0, mark=-9.0)
    assert feed.logged(items, 0, mark=-9.0) == other.logged(items, 0, mark=-9.0)
    # The clock of the user's device is a minute late.
    late, served = act(-1, "click", "i1", "r"), page(0, items, logged)
    overtaken, usual = feed.push(late, served, heartbeat(30)), other.push(served, late, heartbeat(30))
    assert readable(overtaken) == readable(usual) == [
        Example("u0", "i0", [0.0, 0.0, 0.0], EVERYTHING, 0), Example("u0", "i1", [1.0, 0.0, 0.0], EVERYTHING, 0),
    ]  # fmt: skip
    assert marks(overtaken) == {"i0": -9.0, "i1": -8.0}


def test_what_was_seen_before_its_page_came_has_the_features_that_were_logged_with_it() -> None:
    feed = Feed()
    logged = feed.logged(["i0", "i1"], 0, mark=-9.0)
    feed.push(seen(1, "i1", "r"), act(2, "click", "i1", "r"), page(0, ["i0", "i1"], logged))
    examples = feed.push(heartbeat(30))
    assert [(example.item, example.labels[0]) for example in readable(examples)] == [("i1", 1.0), ("i0", 0.0)]
    assert marks(examples) == {"i0": -9.0, "i1": -8.0}


def test_a_page_that_comes_after_the_window_changes_no_features_any_more() -> None:
    feed = Feed()
    feed.push(seen(1, "i1", "r"))
    taught = feed.push(heartbeat(20))
    back = feed.push(page(0, ["i1"], feed.logged(["i1"], 0, mark=-9.0)), act(21, "click", "i1", "r"))
    assert back.weights[:, 0].tolist() == [-1.0, 1.0]
    for row in range(2):
        found = back.features.take(np.array([row]))
        assert found.ids.tobytes() == taught.features.ids.tobytes()
        assert found.dense.tobytes() == taught.features.dense.tobytes()


def test_an_action_that_overtakes_its_page_is_not_kept_from_it_by_an_earlier_impression() -> None:
    feed = Feed()
    feed.push(seen(-5), act(1, "click", request="r"), page(0, ["i0"], feed.logged(["i0"], 0)), seen(2, request="q"))
    found = [(example.minute, example.labels[0]) for example in feed.examples(heartbeat(30))]
    assert found == [(-5, 1.0), (0, 1.0), (2, 0.0)]


def test_a_page_that_comes_late_is_no_concern_of_other_users_and_requests() -> None:
    feed = Feed()
    feed.push(act(1, "click", "i1", "q"), page(2, ["i0", "i1"], feed.logged(["i0", "i1"], 0)))
    assert feed.joiner.waiting == 0


def test_an_action_on_a_page_is_not_taken_for_an_earlier_impression_of_the_item() -> None:
    feed = Feed()
    feed.push(seen(0), page(1, ["i0"], feed.logged(["i0"], 1)), act(2, "click", "i0", "r"))
    assert [(example.minute, example.labels[0]) for example in feed.examples(heartbeat(20))] == [(0, 0.0), (1, 1.0)]


def test_a_page_is_forgotten_with_its_impressions() -> None:
    feed = Feed()
    feed.push(page(0, ["i0", "i1"], feed.logged(["i0", "i1"], 0)), seen(0, "i1", "r"))
    feed.push(heartbeat(69))
    assert feed.examples(act(70, "click", "i1", "r"), heartbeat(200)) == []
    assert feed.joiner.dump() == Feed().joiner.dump()


def test_an_item_that_was_not_on_the_page_tells_nothing_of_it() -> None:
    feed = Feed()
    feed.push(page(0, ["i0"], feed.logged(["i0"], 0)), act(2, "click", "i9", "r"))
    assert feed.joiner.waiting == 0


def test_an_action_before_its_impression_waits_for_it() -> None:
    feed = Feed()
    feed.push(act(2, "click"), act(3, "view", value=10.0))
    feed.push(seen(1))
    assert feed.examples(heartbeat(20)) == [Example("u0", "i0", [1.0, 0.0, 1.0], EVERYTHING, 1)]


def test_an_impression_takes_only_what_happened_after_it_was_seen() -> None:
    feed = Feed()
    feed.push(act(2, "click"), seen(3), seen(1, user="u1"), seen(1, "i1"))
    assert [example.labels[0] for example in feed.examples(heartbeat(13))] == [0.0, 0.0, 0.0]
    feed = Feed()
    feed.push(act(2, "click"), seen(3), seen(1))
    assert [(example.minute, example.labels[0]) for example in feed.examples(heartbeat(13))] == [(3, 0.0), (1, 1.0)]


def test_an_early_action_is_taken_once_and_waits_no_longer_than_the_window() -> None:
    feed = Feed()
    feed.push(act(2, "click"), seen(1), seen(1))
    assert [example.labels[0] for example in feed.examples(heartbeat(30))] == [1.0, 0.0]
    feed.push(act(31, "click", "i1"), heartbeat(41), seen(30, "i1"))
    assert [example.labels[0] for example in feed.examples(heartbeat(100))] == [0.0]


def test_an_action_without_impression_is_an_example_where_its_configuration_says_so() -> None:
    feed = Feed()
    assert feed.examples(act(0, "click"), act(0, "view", value=3.0)) == []
    assert [example for example in feed.examples(act(1, "share")) if example.item == "i0"] == [
        Example("u0", "i0", [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], 1)
    ]


def test_such_an_example_is_set_against_drawn_items() -> None:
    feed = Feed()
    feed.push(*(Record("seen", at(0), "u1", f"i{n}", outcomes={}) for n in range(10)))
    *drawn, own = feed.examples(act(1, "share", "i3"))
    assert own == Example("u0", "i3", [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], 1)
    assert len(drawn) == 2
    for example in drawn:
        assert example.item != "i3"
        assert example == Example("u0", example.item, [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], 1)


def test_an_action_with_an_impression_is_no_example_of_its_own() -> None:
    feed = Feed()
    assert feed.examples(seen(0), act(1, "share")) == []
    assert feed.examples(heartbeat(10)) == [Example("u0", "i0", [0.0, 1.0, 0.0], EVERYTHING, 0)]


def test_an_example_of_its_own_is_also_taken_by_its_impression_when_that_comes_after_all() -> None:
    feed = Feed()
    assert len(feed.examples(act(2, "share"))) == 1
    assert feed.examples(seen(1), heartbeat(20)) == [Example("u0", "i0", [0.0, 1.0, 0.0], EVERYTHING, 1)]


def test_an_action_that_nobody_configured_teaches_nothing() -> None:
    feed = Feed()
    assert feed.examples(act(0, "wave")) == []
    feed.push(seen(1), act(2, "wave"))
    assert feed.examples(heartbeat(20))[0].labels == [0.0, 0.0, 0.0]
    assert feed.examples(act(21, "wave")) == []


def test_the_examples_say_how_many_rows_were_folded_before() -> None:
    feed = Feed()
    feed.push(seen(0), seen(1, "i1"), act(2, "click"))
    examples = feed.push(heartbeat(20))
    assert examples.sequence.tolist() == [0, 1]


def with_pages(records: list[Record], seed: int) -> list[Record]:
    """Pages of the log get the features that a server would have logged."""
    feed, generator = Feed(), np.random.default_rng(seed)
    for index, record in enumerate(records):
        if isinstance(record.body, Served) and record.subject and generator.random() < 0.7:
            logged = feed.logged([served.item_id for served in record.body.items], 0, user=record.subject)
            records[index] = msgspec.structs.replace(record, body=msgspec.structs.replace(record.body, features=logged))
        feed.state.fold([record])
    return records


TIGHT = msgspec.structs.replace(SMALL.join, pages=2, impressions=3, disk_pages=0, disk_impressions=0)
ON_DISK = msgspec.structs.replace(SMALL.join, pages=1, impressions=1)
TIGHT_ON_DISK = msgspec.structs.replace(ON_DISK, disk_pages=1, disk_impressions=2)
SAMPLED = msgspec.structs.replace(ON_DISK, negative_rate=0.5)
CONFIGS = st.sampled_from([SMALL.join, TIGHT, ON_DISK, TIGHT_ON_DISK, SAMPLED])
# Clicks settle after 2 minutes, views after 30, and shares as the configuration of the joiner says.
APART = {
    "click": Objective("click", window_minutes=2.0),
    "share": Objective("share"),
    "view": Objective("view", kind="regression", scale=10.0, window_minutes=30.0),
}
WINDOWS = st.sampled_from([OBJECTIVES, APART])


def test_each_label_is_settled_when_the_window_of_its_objective_is_over() -> None:
    feed = Feed(objectives=APART)
    feed.push(seen(0), act(1, "click"), act(1, "view", value=10.0))
    assert feed.examples(heartbeat(1.99)) == []
    assert feed.examples(heartbeat(2)) == [Example("u0", "i0", [1.0, 0.0, 1.0], [1.0, 0.0, 0.0], 0)]
    feed.push(act(5, "share"), act(5, "view", value=10.0))
    assert feed.examples(heartbeat(10)) == [Example("u0", "i0", [1.0, 1.0, 2.0], [0.0, 1.0, 0.0], 0)]
    assert feed.joiner.waiting == 1
    feed.push(act(20, "view", value=10.0))
    assert feed.examples(heartbeat(30)) == [Example("u0", "i0", [1.0, 1.0, 3.0], [0.0, 0.0, 1.0], 0)]
    assert feed.joiner.waiting == 0
    assert feed.examples(heartbeat(89)) == []


def test_windows_that_end_at_one_record_end_the_shortest_first() -> None:
    feed = Feed(objectives=APART)
    feed.push(seen(0), seen(1, "i1"))
    assert [(example.item, example.weights) for example in feed.examples(heartbeat(40))] == [
        ("i0", [1.0, 0.0, 0.0]), ("i1", [1.0, 0.0, 0.0]), ("i0", [0.0, 1.0, 0.0]), ("i1", [0.0, 1.0, 0.0]),
        ("i0", [0.0, 0.0, 1.0]), ("i1", [0.0, 0.0, 1.0]),
    ]  # fmt: skip


def test_what_comes_between_two_windows_is_late_only_for_the_objectives_that_were_settled() -> None:
    feed = Feed(objectives=APART)
    assert len(feed.examples(seen(0), heartbeat(2))) == 1
    click = [1.0, 0.0, 0.0]
    assert feed.examples(act(3, "click"), act(3, "share")) == corrected([0.0, 0.0, 0.0], click, click, 0)
    assert feed.examples(heartbeat(10)) == [Example("u0", "i0", [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], 0)]


def test_an_impression_is_remembered_for_late_hours_after_its_last_window() -> None:
    feed = Feed(objectives=APART)
    feed.push(seen(0, request="r"), heartbeat(89))
    assert len(feed.examples(act(89, "click", request="r"))) == 2
    assert feed.examples(act(90, "view", request="r"), heartbeat(300)) == []
    assert feed.joiner.dump() == Feed(objectives=APART).joiner.dump()


def test_of_negatives_a_share_is_learned_at_the_weight_of_all_and_of_others_all_are() -> None:
    feed = Feed(config=msgspec.structs.replace(SMALL.join, negative_rate=0.25))
    feed.push(*(seen(0, f"i{number % 20}", f"r{number}") for number in range(400)))
    feed.push(*(act(1, "click", f"i{number % 20}", f"r{number}") for number in range(100)))
    examples = feed.examples(heartbeat(10))
    positive = [example for example in examples if example.labels[0]]
    negative = [example for example in examples if not example.labels[0]]
    assert [example.weights for example in positive] == [EVERYTHING] * 100
    assert [example.weights for example in negative] == [[4.0, 4.0, 4.0]] * len(negative)
    # Five standard errors of a quarter of 300.
    assert abs(len(negative) - 75) < 5 * np.sqrt(300 * 0.25 * 0.75)


def test_negatives_of_an_import_are_sampled_as_those_that_waited() -> None:
    config = msgspec.structs.replace(SMALL.join, negative_rate=0.25)
    seen_joined = [Record("seen", at(0), "u0", f"i{number % 20}", outcomes={}) for number in range(400)]
    waited = [seen(0, f"i{number % 20}", f"r{number}") for number in range(400)]
    at_once = Feed(config=config).examples(*seen_joined)
    assert at_once == Feed(config=config).examples(*waited, heartbeat(10))
    # Beside something that waits, an import goes another way through the joiner.
    assert at_once == Feed(config=config).examples(*seen_joined, seen(0, user="u1"))


def test_a_late_positive_takes_back_a_negative_with_the_weight_that_it_had_or_not_at_all() -> None:
    feed = Feed(config=msgspec.structs.replace(SMALL.join, negative_rate=0.25))
    feed.push(*(seen(0, "i0", f"r{number}") for number in range(40)))
    kept = feed.push(heartbeat(10)).sequence.tolist()
    assert 0 < len(kept) < 40
    click = [1.0, 0.0, 0.0]
    for number in range(40):
        back = [Example("u0", "i0", [0.0, 0.0, 0.0], [-4.0, 0.0, 0.0], 0)] if number in kept else []
        assert feed.examples(act(11, "click", "i0", f"r{number}")) == [*back, Example("u0", "i0", click, click, 0)]


def test_what_was_corrected_once_is_corrected_again_from_there() -> None:
    feed = Feed(config=msgspec.structs.replace(SMALL.join, negative_rate=0.25))
    feed.push(seen(0), heartbeat(10))
    feed.push(act(11, "view", value=5.0))
    view = [0.0, 0.0, 1.0]
    assert feed.examples(act(12, "view", value=5.0)) == corrected([0.0, 0.0, 0.5], [0.0, 0.0, 1.0], view, 0)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 250), max_size=10), CONFIGS, WINDOWS)
def test_examples_do_not_depend_on_how_the_log_is_cut(
    seed: int, cuts: list[int], config: JoinConfig, objectives: dict[str, Objective]
) -> None:
    records = with_pages(small_log(np.random.default_rng(seed), 250), seed)
    whole = Feed(config=config, objectives=objectives)
    expected = bytes_of(whole.push(*records))
    feed, found = Feed(config=config, objectives=objectives), []
    ends = [*sorted(cuts), len(records)]
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        found += bytes_of(feed.push(*records[begin:end]))
    assert found == expected
    assert len(expected) > 10
    dropped = whole.joiner.pages_dropped, whole.joiner.impressions_dropped
    assert dropped == (feed.joiner.pages_dropped, feed.joiner.impressions_dropped)
    assert (sum(dropped) > 0) == (config in (TIGHT, TIGHT_ON_DISK))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 250), CONFIGS, WINDOWS)
def test_joining_goes_on_from_a_dump_as_if_nothing_had_been(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cut: int, config: JoinConfig, objectives: dict[str, Objective]
) -> None:
    records = with_pages(small_log(np.random.default_rng(seed), 250), seed)
    folder = tmp_path_factory.mktemp("disk")
    feed = Feed(config=config, objectives=objectives, disk=folder / "one")
    restored = Feed(config=config, objectives=objectives, disk=folder / "other")
    feed.push(*records[:cut])
    restored.state.fold(records[:cut])
    dumped = feed.joiner.dump()
    if (folder / "one").exists():
        shutil.copy(folder / "one", folder / "other")
    restored.joiner.load(dumped)
    assert restored.joiner.dump() == feed.joiner.dump()
    assert restored.joiner.waiting == feed.joiner.waiting
    assert bytes_of(restored.push(*records[cut:])) == bytes_of(feed.push(*records[cut:]))
    assert restored.joiner.dump() == feed.joiner.dump()


def test_a_late_action_after_a_dump_finds_its_impression() -> None:
    feed, restored = Feed(), Feed()
    records = [seen(0, request="a"), heartbeat(10), seen(11, request="b"), act(12, "share", "i1")]
    feed.push(*records)
    restored.state.fold(records)
    restored.joiner.load(feed.joiner.dump())
    click = [1.0, 0.0, 0.0]
    assert restored.examples(act(13, "click", request="a")) == corrected([0.0, 0.0, 0.0], click, click, 0)
    assert restored.examples(act(13, "click"), seen(12, "i1"), heartbeat(30)) == [
        Example("u0", "i0", [1.0, 0.0, 0.0], EVERYTHING, 11), Example("u0", "i1", [0.0, 1.0, 0.0], EVERYTHING, 12),
    ]  # fmt: skip


def test_a_request_id_counts_only_for_the_user_whose_page_it_is() -> None:
    feed = Feed()
    feed.push(page(0, ["i0", "i1"], feed.logged(["i0", "i1"], 0, mark=-9.0)), seen(1, "i0", "r"))
    like = act(2, "click", "i0", "r")
    feed.push(msgspec.structs.replace(like, subject="u1"), msgspec.structs.replace(like, subject="u1", object="i1"))
    assert feed.joiner.waiting == 1
    assert feed.examples(heartbeat(20)) == [Example("u0", "i0", [0.0, 0.0, 0.0], EVERYTHING, 1)]
    late = msgspec.structs.replace(act(21, "click", "i0", "r"), subject="u1")
    assert feed.examples(late) == []


def test_an_action_under_the_request_of_another_user_belongs_to_the_own_impression() -> None:
    feed = Feed()
    feed.push(page(0, ["i0"], feed.logged(["i0"], 0, mark=-9.0)), seen(1, request="r"), seen(1, user="u1"))
    feed.push(msgspec.structs.replace(act(2, "click", request="r"), subject="u1"))
    found = [(example.user, example.labels[0]) for example in feed.examples(heartbeat(20))]
    assert found == [("u0", 0.0), ("u1", 1.0)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_two_users_report_under_one_request_are_two_impressions(order: tuple[int, int]) -> None:
    feed = Feed()
    logged = feed.logged(["i0"], 0, mark=-9.0)
    reported = [seen(1, request="r"), seen(1, request="r", user="u1")]
    feed.push(page(0, ["i0"], logged), *(reported[place] for place in order))
    assert feed.joiner.waiting == 2
    examples = feed.push(heartbeat(20))
    assert [example.user for example in readable(examples)] == [f"u{place}" for place in order]
    assert [mark == -9.0 for mark in examples.features.dense[:, 0].tolist()] == [place == 0 for place in order]


def test_a_page_that_comes_late_takes_up_only_what_its_own_user_did() -> None:
    feed = Feed()
    logged = feed.logged(["i0", "i1"], 0, mark=-9.0)
    acted = msgspec.structs.replace(act(1, "click", "i1", "r"), subject="u1")
    feed.push(seen(1, "i0", "r", user="u1"), acted, page(2, ["i0", "i1"], logged))
    assert feed.joiner.waiting == 1
    examples = feed.push(heartbeat(20))
    assert [(example.user, example.item) for example in readable(examples)] == [("u1", "i0")]
    assert examples.features.dense[0, 0] != -9.0


def test_the_oldest_pages_are_forgotten_first_when_there_are_too_many() -> None:
    feed = Feed(config=JoinConfig(pages=1, disk_pages=1))
    for number in range(3):
        items = [f"i{2 * number}", f"i{2 * number + 1}"]
        feed.push(page(0, items, feed.logged(items, 0), request=f"r{number}"))
    assert feed.joiner.pages_dropped == 1
    feed.push(act(1, "click", "i1", "r0"))
    assert feed.joiner.waiting == 0
    feed.push(act(1, "click", "i3", "r1"), act(1, "click", "i5", "r2"))
    assert feed.joiner.waiting == 4


def test_the_oldest_impressions_are_forgotten_first_once_their_windows_are_over() -> None:
    feed = Feed(config=JoinConfig(impressions=1, disk_impressions=1))
    feed.push(*(seen(0, f"i{n}") for n in range(5)))
    assert feed.joiner.waiting == 5
    assert [example.item for example in feed.examples(heartbeat(10))] == ["i0", "i1", "i2", "i3", "i4"]
    assert feed.joiner.impressions_dropped == 3
    assert feed.examples(act(11, "click", "i2")) == []
    click = [1.0, 0.0, 0.0]
    assert feed.examples(act(11, "click", "i3")) == corrected([0.0, 0.0, 0.0], click, click, 0, "i3")


@pytest.mark.parametrize("reported", [True, False])
def test_a_dump_holds_the_features_of_a_page_once_and_as_they_were_logged(reported: bool) -> None:
    feed = Feed()
    items = [f"i{n}" for n in range(20)]
    pages = []
    for number in range(50):
        logged = feed.logged(items, number, mark=100.0 * number)
        pages.append(logged)
        feed.push(page(number, items, logged, f"r{number}"))
        if reported:
            feed.push(*(seen(number, item, f"r{number}") for item in items))
    dumped = feed.joiner.dump()
    assert all(dumped.count(logged) == 1 for logged in pages)
    # 10 numbers an impression; ids and positions, the times and the request of a page.
    assert len(dumped) < sum(map(len, pages)) + 50 * (20 * 8 + 60) + reported * 50 * (20 * 80 + 10) + 500


def test_the_dump_of_a_joiner_that_waits_for_nothing_can_be_loaded() -> None:
    restored = Feed()
    restored.joiner.load(Feed().joiner.dump())
    assert restored.examples(seen(0), heartbeat(10)) == [Example("u0", "i0", [0.0, 0.0, 0.0], EVERYTHING, 0)]


def test_what_has_no_logged_features_has_those_of_the_fold_after_a_dump_too() -> None:
    feed, restored = Feed(), Feed()
    records = [seen(0, request="r"), seen(1, request="r"), seen(2, "i1", user="u1")]
    folded = Feed().state.fold(records, [Emit(SCHEMA.view, "examples")]).emitted[0].features
    feed.push(*records)
    restored.state.fold(records)
    restored.joiner.load(feed.joiner.dump())
    examples = restored.push(heartbeat(30))
    assert [(example.user, example.item) for example in readable(examples)] == [("u0", "i0"), ("u1", "i1")]
    expected = folded.take(np.array([0, 2]))
    assert examples.features.ids.tobytes() == expected.ids.tobytes()
    assert examples.features.dense.tobytes() == expected.dense.tobytes()


def test_a_dump_takes_little_memory_besides_its_bytes() -> None:
    feed = Feed()
    items = [f"i{n}" for n in range(20)]
    for number in range(100):
        feed.push(page(number / 100, items, feed.logged(items, 0), f"r{number}"))
        feed.push(*(seen(1, item, f"r{number}") for item in items))
    tracemalloc.start()
    dumped = feed.joiner.dump()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * len(dumped)


def test_a_dump_that_is_damaged_or_of_another_schema_is_refused() -> None:
    feed = Feed()
    feed.push(seen(0))
    dumped = feed.joiner.dump()
    for damaged in (b"", dumped[:-1], b"\x93\x01\x02\x03"):
        with pytest.raises(SnapshotError, match="cannot be read"):
            Feed().joiner.load(damaged)
    other = ranker_schema(SlotRegistry(), FEATURES, RankerConfig(slots=("user",), dimension=4), len(OBJECTIVES))
    with pytest.raises(SnapshotError, match="another schema"):
        Feed(other).joiner.load(dumped)


@pytest.mark.parametrize("changes", [{"window_minutes": -1.0}, {"late_hours": float("nan")}, {"late_hours": 1e9}])
def test_waits_that_cannot_be_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"join.{next(iter(changes))}"):
        JoinConfig(**changes)


@pytest.mark.parametrize("rate", [0.0, -0.5, 1.1, float("nan")])
def test_a_share_of_negatives_that_cannot_be_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"join\.negative_rate"):
        JoinConfig(negative_rate=rate)


@pytest.mark.parametrize("name", ["disk_pages", "disk_impressions"])
def test_bounds_below_nothing_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"join.{name}: -1 must be at least 0"):
        JoinConfig(**{name: -1})


@pytest.mark.parametrize("name", ["pages", "impressions"])
def test_bounds_that_leave_nothing_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"join.{name}: 0 must be at least 1"):
        JoinConfig(**{name: 0})


def test_hours_are_what_they_say() -> None:
    feed = Feed(config=JoinConfig(window_minutes=0.5, late_hours=2.0))
    feed.push(seen(0))
    assert len(feed.examples(heartbeat(0.5))) == 1
    assert len(feed.examples(act(120, "click"))) == 2
    assert feed.examples(Record("event", at(0.5) + 2 * HOUR, "u0", "i0", "share"))[-1].minute == 120.5
