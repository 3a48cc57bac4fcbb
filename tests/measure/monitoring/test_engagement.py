"""What a served item was worth, by arm; numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from feedmill.domain.clock import HOUR
from feedmill.domain.errors import ConfigError, SnapshotError
from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Item, Record, Served, ServedItem
from feedmill.measure.monitoring.engagement import Engagement, EngagementConfig
from feedmill.stream.state.feedback import FeedbackReader

START = 1_700_000_000_000
ACTIONS = {"like": Action("positive"), "view": Action(repeats="sum"), "hide": Action("negative"), "share": Action()}
# A like is worth 2, ten seconds watched are worth 0.5, a hide costs 3; a share is worth nothing.
OBJECTIVES = {
    "like": Objective("like", weight=2.0),
    "view": Objective("view", kind="regression", scale=10.0, weight=0.5),
    "hide": Objective("hide", weight=-3.0),
}


def engagement(objectives: Mapping[str, Objective] = OBJECTIVES, **config: float) -> Engagement:
    return Engagement(FeedbackReader(ACTIONS, objectives), EngagementConfig(**config))  # type: ignore[arg-type]


class Fold:
    """An engagement that is folded record by record."""

    def __init__(self, **config: float) -> None:
        self.engagement = engagement(**config)

    def __call__(self, *records: Record) -> Fold:
        self.engagement.fold(records, self.engagement.position + len(records))
        return self

    def value(self, arm: str = "feedmill") -> float:
        """What was earned in all."""
        worth = self.engagement.worth().arms[arm]
        return worth.served * (worth.engagement or 0.0)

    def served(self, arm: str = "feedmill") -> float:
        return self.engagement.worth().arms[arm].served


def at(hours: float) -> int:
    return START + round(hours * HOUR)


def page(hours: float, items: str, request: str = "", user: str = "u", arm: str = "feedmill") -> Record:
    served = tuple(ServedItem(item, place, "fresh", 0.0) for place, item in enumerate(items, 1))
    return Record("served", at(hours), user, request_id=request, body=Served(served, arms={"holdout": arm}))


def act(hours: float, action: str, item: str, request: str = "", user: str = "u", value: float | None = None) -> Record:
    return Record("event", at(hours), user, item, action, value, request_id=request)


def test_what_was_served_and_earned_is_counted_by_arm() -> None:
    fold = Fold()(
        page(0, "abcd", "r"), page(0, "abc", "s", "v", arm="popularity"), act(0, "like", "b", "r"),
        act(0, "view", "c", "r", value=30.0), act(0, "hide", "a", "s", "v"),
    )  # fmt: skip
    arms = fold.engagement.worth().arms
    assert (arms["feedmill"].users, arms["feedmill"].served) == (1, 4)
    assert arms["feedmill"].engagement == pytest.approx((2 + 0.5 * 3) / 4)
    assert (arms["popularity"].users, arms["popularity"].served) == (1, 3)
    assert arms["popularity"].engagement == pytest.approx(-1)


def test_nothing_served_has_no_engagement() -> None:
    arms = engagement().worth().arms
    assert [(name, arm.users, arm.served, arm.engagement) for name, arm in arms.items()] == [
        ("feedmill", 0, 0.0, None), ("popularity", 0, 0.0, None),
    ]  # fmt: skip


def test_what_comes_again_on_one_item_is_combined_and_not_added_twice() -> None:
    fold = Fold()(page(0, "ab", "r"), act(0, "like", "a", "r"), act(0, "like", "a", "r"))
    assert fold.value() == pytest.approx(2)
    fold(act(0, "view", "a", "r", value=4.0), act(0, "view", "a", "r", value=6.0))
    assert fold.value() == pytest.approx(2 + 0.5)
    assert fold(act(0, "like", "b", "r")).value() == pytest.approx(4.5)


def test_an_action_belongs_to_the_page_of_its_request_only() -> None:
    pages = page(0, "ab", "r"), page(0, "ac", "s", arm="popularity")
    assert Fold()(*pages, act(0, "like", "a", "r")).value("feedmill") == pytest.approx(2)
    assert Fold()(*pages, act(0, "like", "a", "s")).value("popularity") == pytest.approx(2)
    elsewhere = [act(0, "like", "a", "search-7"), act(0, "like", "c", "r"), act(0, "like", "a", "r", user="v")]
    fold = Fold()(*pages, *elsewhere)
    assert (fold.value("feedmill"), fold.value("popularity")) == (0, 0)


def test_an_action_of_no_request_belongs_to_the_users_last_page_that_showed_the_item() -> None:
    pages = page(0, "ab", "r"), page(1, "ac", "s", arm="popularity"), page(2, "ab", "t", user="v")
    fold = Fold()(*pages, act(3, "like", "a"), act(3, "like", "b"), act(3, "like", "d"))
    age = 1 / (14 * 24)
    assert fold.value("popularity") == pytest.approx(2 * math.exp(-2 * age))
    assert fold.value("feedmill") == pytest.approx(2 * math.exp(-3 * age))
    assert fold.engagement.worth().arms["feedmill"].users == 2


def test_outcomes_that_come_with_an_impression_belong_to_its_page() -> None:
    fold = Fold()(page(0, "ab", "r"), Record("seen", at(0), "u", "a", request_id="r"))
    assert fold.value() == 0
    fold(Record("seen", at(0), "u", "a", request_id="r", outcomes={"like": 1.0, "view": 20.0}))
    assert fold.value() == pytest.approx(3)


def test_an_action_belongs_to_a_page_until_its_window_ends_on_the_watermark() -> None:
    fold = Fold(window_hours=24.0)(page(0, "ab", "r"), act(24, "like", "a"))
    assert fold.value() == pytest.approx(2 * math.exp(-1 / 14))
    late = act(0, "like", "b", "r")
    assert fold(Record("heartbeat", at(24) + 1), late, act(0, "like", "b")).value() == pytest.approx(
        2 * math.exp(-1 / 14)
    )


def test_a_description_does_not_end_a_window() -> None:
    fold = Fold()(page(0, "a", "r"), Record("item", at(100), object="a", body=Item()), act(1, "like", "a", "r"))
    assert fold.value() == pytest.approx(2 * math.exp(-1 / 14 / 24))


def test_pages_beyond_the_limit_are_let_go_the_oldest_first() -> None:
    fold = Fold(pages=2)(page(0, "a", "r"), page(0, "b", "s"), page(0, "c", "t"))
    fold(*(act(0, "like", item) for item in "abc"), act(0, "like", "a", "r"))
    assert (fold.served(), fold.value()) == (pytest.approx(3), pytest.approx(4))


@pytest.mark.parametrize("arms", [{}, {"holdout": "elsewhere"}])
def test_pages_outside_the_experiment_do_not_count(arms: dict[str, str]) -> None:
    body = Served((ServedItem("a", 1, "fresh", 0.0),), arms=arms)
    fold = Fold()(
        Record("served", at(0), "u", request_id="r", body=body), act(0, "like", "a", "r"), act(0, "like", "a")
    )
    assert (fold.served("feedmill"), fold.served("popularity"), fold.value()) == (0, 0, 0)


def test_a_page_that_is_in_the_log_twice_counts_once() -> None:
    assert Fold()(page(0, "abc", "r"), page(0, "abc", "r")).served() == 3


def test_what_was_served_counts_less_by_the_days() -> None:
    fold = Fold()(page(0, "ab", "r"), act(0, "like", "a", "r"), page(14 * 24, "ab", "s"))
    # Mean age 14 days: what is 14 days old counts 1/e.
    assert fold.served() == pytest.approx(2 + 2 / math.e)
    assert fold.value() == pytest.approx(2 / math.e)


def test_a_user_who_was_served_nothing_for_the_period_is_forgotten() -> None:
    fold = Fold()(page(0, "ab", "r"), page(1, "ab", "s", "v"), act(1, "like", "a", "s", "v"), page(2, "a", "t", "w"))
    assert fold.engagement.worth().arms["feedmill"].users == 3
    fold(page(28 * 24 + 1, "a", "x", "w"))
    arm = fold.engagement.worth().arms["feedmill"]
    assert arm.users == 2
    assert arm.served == pytest.approx(1 + 2 * math.exp(-2) + math.exp(-2 + 1 / 14 / 24))


def test_a_deleted_user_is_taken_out() -> None:
    fold = Fold()(page(0, "ab", "r"), page(0, "ab", "s", "v"), act(0, "like", "a", "r"), act(0, "like", "a", "s", "v"))
    fold(Record("retraction", at(0), "u", action="delete"), act(0, "like", "b", "r"), act(0, "like", "b"))
    assert fold.engagement.worth().arms["feedmill"].users == 1
    assert (fold.served(), fold.value()) == (pytest.approx(2), pytest.approx(2))
    assert fold(page(0, "ab", "t"), act(0, "like", "b")).value() == pytest.approx(4)


def test_years_of_pages_do_not_run_out_of_floating_point() -> None:
    fold = Fold()
    for year in range(40):
        fold(page(year * 365 * 24, "ab", f"r{year}"), act(year * 365 * 24, "like", "a", f"r{year}"))
    assert (fold.served(), fold.value()) == (pytest.approx(2), pytest.approx(2))


def random_log(generator: np.random.Generator, size: int) -> list[Record]:
    records = []
    for number in range(size):
        user, hours = f"u{generator.integers(80)}", number * 0.2
        if generator.random() < 0.4:
            items = "".join(generator.choice(list("abcdefgh"), 4, replace=False))
            arm = "popularity" if int(user[1:]) < 35 else "feedmill"
            records.append(page(hours, items, f"r{number}", user, arm))
        else:
            request = f"r{number - generator.integers(10)}" if generator.random() < 0.5 else ""
            action = str(generator.choice(["like", "view", "hide", "share"], p=[0.5, 0.3, 0.05, 0.15]))
            item = str(generator.choice(list("abcdefgh")))
            records.append(act(hours, action, item, request, user, float(generator.integers(1, 30))))
    return records


def test_a_snapshot_goes_on_where_it_was_taken() -> None:
    records = random_log(np.random.default_rng(7), 6_000)
    whole, first, second = engagement(), engagement(), engagement()
    whole.fold(records, 6_000)
    first.fold(records[:3_500], 3_500)
    second.load(first.dump())
    assert second.position == 3_500
    second.fold(records[second.position :], 6_000)
    expected, found = whole.worth(), second.worth()
    assert expected.lift is not None
    assert found.sentence == expected.sentence
    assert (found.lift, found.low, found.high) == pytest.approx((expected.lift, expected.low, expected.high), rel=1e-9)
    assert found.arms["popularity"].served == pytest.approx(expected.arms["popularity"].served, rel=1e-9)
    assert second.position == 6_000


def test_a_snapshot_of_another_configuration_is_refused_and_changes_nothing() -> None:
    dumped = Fold()(page(0, "ab", "r")).engagement.dump()
    other = {**OBJECTIVES, "like": Objective("like", weight=1.0)}
    for stranger in (engagement(other), engagement(period_days=7.0)):
        with pytest.raises(SnapshotError, match="other actions, objectives or periods"):
            stranger.load(dumped)
        assert stranger.worth().arms["feedmill"].users == 0


@pytest.mark.parametrize("cut", [0, 7, 30])
def test_a_snapshot_that_ends_too_early_is_refused(cut: int) -> None:
    with pytest.raises(SnapshotError, match="damaged"):
        engagement().load(Fold()(page(0, "ab", "r")).engagement.dump()[:cut])


def test_a_snapshot_with_one_wrong_bit_is_refused() -> None:
    dumped = bytearray(Fold()(page(0, "ab", "r")).engagement.dump())
    dumped[-3] ^= 1
    with pytest.raises(SnapshotError, match="damaged"):
        engagement().load(bytes(dumped))


def test_running_sums_do_not_drift_from_sums_made_anew() -> None:
    fold, anew = engagement(), engagement()
    fold.fold(random_log(np.random.default_rng(8), 6_000), 6_000)
    anew.load(fold.dump())
    first, second = fold.worth(), anew.worth()
    assert (first.lift, first.low, first.high) == pytest.approx((second.lift, second.low, second.high), rel=1e-9)


@pytest.mark.parametrize(
    ("config", "key"),
    [({"window_hours": 0.0}, "window_hours"), ({"period_days": 0.5}, "period_days"), ({"pages": 0}, "pages")],
)
def test_a_configuration_that_cannot_be_is_refused_by_name(config: dict[str, float], key: str) -> None:
    with pytest.raises(ConfigError, match=rf"engagement\.{key}"):
        EngagementConfig(**config)  # type: ignore[arg-type]
