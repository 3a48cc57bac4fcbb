"""The interval of a lift, held against a bootstrap over users and against a truth that is known."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from feedmill.measure.metrics.bootstrap import paired_bootstrap
from feedmill.measure.monitoring.lift import MIN_USERS, Lift, RatioSums, relative_lift
from feedmill.measure.monitoring.worth import worth_of

Floats = npt.NDArray[np.float64]


def sums(n: npt.ArrayLike, y: npt.ArrayLike) -> RatioSums:
    arm = RatioSums()
    for items, value in zip(np.asarray(n, dtype=float).tolist(), np.asarray(y, dtype=float).tolist(), strict=True):
        arm.add_user(items, value)
    return arm


def simulated(generator: np.random.Generator, users: int, rate: float) -> tuple[Floats, Floats]:
    """Users who differ in how much they are served and in how much they like; who likes more, stays longer."""
    taste = generator.gamma(2.0, 0.5, users)
    n = 20.0 * (1 + generator.poisson(2 * taste))
    return n, generator.poisson(rate * taste * n).astype(float)


def told(treatment: RatioSums, control: RatioSums) -> Lift:
    lift = relative_lift(treatment, control)
    assert lift is not None
    return lift


def test_the_lift_and_its_interval_are_those_of_the_formula() -> None:
    # Each arm: 30 users with 10 items, half earn 1 more, half 1 less than the mean. sum (y - R n)^2 = 30.
    treatment, control = sums([10] * 30, [7, 5] * 15), sums([10] * 30, [5, 3] * 15)
    # Var(log R) = 30/29 * 30 / 180^2 and 30/29 * 30 / 120^2; Welch: 50.53 degrees of freedom, t = 2.00804.
    var_t, var_c = 30 / 29 * 30 / 180**2, 30 / 29 * 30 / 120**2
    assert (var_t + var_c) ** 2 / (var_t**2 / 29 + var_c**2 / 29) == pytest.approx(50.53, abs=0.01)
    half = 2.00804 * math.sqrt(var_t + var_c)
    lift = told(treatment, control)
    assert lift.estimate == pytest.approx(0.5)
    assert lift.low == pytest.approx(1.5 * math.exp(-half) - 1, rel=1e-3)
    assert lift.high == pytest.approx(1.5 * math.exp(half) - 1, rel=1e-3)


def test_the_unit_in_which_users_are_weighed_does_not_matter() -> None:
    generator = np.random.default_rng(1)
    treatment, control = sums(*simulated(generator, 200, 0.12)), sums(*simulated(generator, 60, 0.1))
    before = told(treatment, control)
    treatment.scale(1e-30)
    control.scale(1e20)
    after = told(treatment, control)
    assert (after.estimate, after.low, after.high) == pytest.approx((before.estimate, before.low, before.high))


def test_a_user_may_grow_bit_by_bit() -> None:
    n, y = simulated(np.random.default_rng(2), 40, 0.1)
    whole, grown = sums(n, y), RatioSums()
    for items, value in zip(n.tolist(), y.tolist(), strict=True):
        grown.add_user(5.0, 0.0)
        grown.change_user(5.0, 0.0, items - 5.0, 0.0)
        grown.change_user(items, 0.0, 0.0, value / 2)
        grown.change_user(items, value / 2, 0.0, value / 2)
    assert [getattr(grown, part) for part in RatioSums.__slots__] == pytest.approx(
        [getattr(whole, part) for part in RatioSums.__slots__]
    )


@pytest.mark.parametrize("users", [(300, 100), (4_000, 60)])
def test_the_interval_agrees_with_a_bootstrap_over_users(users: tuple[int, int]) -> None:
    generator = np.random.default_rng(3)
    treatment, control = simulated(generator, users[0], 0.13), simulated(generator, users[1], 0.1)
    none = [np.zeros(count) for count in users]
    lift = told(sums(*treatment), sums(*control))

    def log_ratio(labels: npt.ArrayLike, scores: npt.ArrayLike, weights: npt.ArrayLike | None) -> float:
        items, value = np.asarray(scores), np.asarray(labels)
        mine = items > 0
        drawn = np.ones(len(items)) if weights is None else np.asarray(weights)
        return math.log((drawn * value)[mine].sum() / (drawn * items)[mine].sum())

    interval = paired_bootstrap(
        log_ratio, np.concatenate([treatment[1], control[1]]), np.concatenate([treatment[0], none[1]]),
        np.concatenate([none[0], control[0]]), np.arange(sum(users)), 2_000, generator,
    )  # fmt: skip
    assert math.log1p(lift.estimate) == pytest.approx(interval.estimate)
    width = interval.high - interval.low
    assert math.log1p(lift.high) - math.log1p(lift.low) == pytest.approx(width, rel=0.1)
    assert (math.log1p(lift.low), math.log1p(lift.high)) == pytest.approx(
        (interval.low, interval.high), abs=0.1 * width
    )


def coverage(rounds: int, users: tuple[int, int], seed: int) -> float:
    """How often the interval holds the true lift of 20 %."""
    generator = np.random.default_rng(seed)
    covered = 0
    for _ in range(rounds):
        lift = told(sums(*simulated(generator, users[0], 0.12)), sums(*simulated(generator, users[1], 0.1)))
        covered += lift.low <= 0.2 <= lift.high
    return covered / rounds


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    # Of 400 rounds the standard deviation is 1.1 %.
    assert coverage(400, (400, 400), 4) == pytest.approx(0.95, abs=0.035)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("users", "expected"), [((1_000, 30), 0.90), ((1_000, 60), 0.92), ((1_000, 200), 0.94), ((1_000, 1_000), 0.95)]
)
def test_the_interval_holds_the_truth_as_often_as_it_says_in_many_rounds(
    users: tuple[int, int], expected: float
) -> None:
    # Of 4,000 rounds the standard deviation is 0.34 %. What a few users lack is the price of tastes that are skewed.
    assert coverage(4_000, users, 5) == pytest.approx(expected, abs=0.0125)


def test_it_is_not_told_from_few_users_nor_from_no_variance_nor_from_nothing_earned() -> None:
    generator = np.random.default_rng(6)
    enough, few = sums(*simulated(generator, MIN_USERS, 0.1)), sums(*simulated(generator, MIN_USERS - 1, 0.1))
    assert relative_lift(enough, enough) is not None
    assert relative_lift(enough, few) is None
    assert relative_lift(few, enough) is None
    same = sums([10, 20] * 20, [1.1, 2.2] * 20)
    assert relative_lift(same, same) is None
    assert relative_lift(enough, same) is not None
    assert relative_lift(enough, sums([10] * 40, [0] * 40)) is None
    assert relative_lift(sums([10] * 40, [1, -3] * 20), enough) is None


def test_an_interval_without_an_end_is_a_number_still() -> None:
    values = np.full(40, -1.0)
    values[0] = 39.0 + 1e-9
    lift = told(sums([10] * 40, [7, 5] * 20), sums([10] * 40, values))
    assert lift.low == pytest.approx(-1)
    assert math.isfinite(lift.high)


def sentence(treatment: RatioSums, control: RatioSums) -> str:
    return worth_of({"feedmill": treatment, "popularity": control}).sentence


def test_the_sentence_says_how_much_more_and_how_sure() -> None:
    # Both ends by hand: 1.5 * exp(-+ 2.00804 * sqrt(0.0031134)) = 1.341 and 1.678.
    more, less = sums([10] * 30, [7, 5] * 15), sums([10] * 30, [5, 3] * 15)
    assert sentence(more, less) == (
        "Feedmill's feed earns 50 % more engagement per item than popularity "
        "(95 % interval 34 % to 68 %), from 60 users."
    )
    assert sentence(less, more) == (
        "Feedmill's feed earns 33 % less engagement per item than popularity "
        "(95 % interval -40 % to -25 %), from 60 users."
    )


def test_the_sentence_says_where_it_may_be_chance() -> None:
    arm = sums([10] * 1_000, [7, 5] * 500)
    assert sentence(arm, arm) == (
        "Feedmill's feed earns 0.0 % more engagement per item than popularity, which may be chance "
        "(95 % interval -1.5 % to 1.5 %), from 2,000 users."
    )


def test_the_sentence_says_what_is_missing() -> None:
    few, enough, same = sums([10] * 3, [1, 2, 3]), sums([10] * 40, [1, 2] * 20), sums([10] * 40, [1] * 40)
    start = "Not enough yet to say what Feedmill is worth: "
    assert sentence(enough, few) == f"{start}3 of 30 users were served by the arm popularity."
    assert sentence(few, enough) == f"{start}3 of 30 users were served by the arm feedmill."
    assert sentence(enough, sums([10] * 40, [0] * 40)) == f"{start}engagement in the arm popularity is not above 0."
    assert sentence(same, same) == f"{start}no user differs from another."
