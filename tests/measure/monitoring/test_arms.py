"""Who is in the holdout."""

from __future__ import annotations

import pytest

from feedmill.domain.errors import ConfigError
from feedmill.measure.monitoring.arms import FEEDMILL, POPULARITY, HoldoutConfig

USERS = [f"u{number}" for number in range(50_000)]


def held_out(config: HoldoutConfig) -> set[str]:
    return {user for user in USERS if config.arm_of(user) == POPULARITY}


def test_the_holdout_has_its_share_of_the_users() -> None:
    # Of 50,000 draws at 2 % the standard deviation is 31.
    assert abs(len(held_out(HoldoutConfig())) - 1_000) < 4 * 31


def test_a_user_stays_in_an_arm_whatever_the_process() -> None:
    arms = [HoldoutConfig(share=0.5).arm_of(f"u{number}") for number in range(8)]
    # By XXH3-64 of "holdout", NUL, the salt, NUL and the id, under Feedmill's seed, below or above 2^63.
    assert arms == [{"f": FEEDMILL, "p": POPULARITY}[letter] for letter in "fpffpfpf"]


def test_a_larger_share_keeps_those_who_are_held_out_and_another_salt_draws_others() -> None:
    small, large = held_out(HoldoutConfig(share=0.1)), held_out(HoldoutConfig(share=0.2))
    other = held_out(HoldoutConfig(share=0.2, salt="again"))
    assert small < large
    # Independent draws share a fifth of a fifth: 2,000 of 50,000, with a standard deviation of 44.
    assert abs(len(large & other) - 2_000) < 4 * 44


def test_a_share_of_nothing_holds_out_nobody() -> None:
    assert held_out(HoldoutConfig(share=0.0)) == set()


@pytest.mark.parametrize("share", [-0.01, 0.51, float("nan")])
def test_a_share_that_is_none_is_refused_by_name(share: float) -> None:
    with pytest.raises(ConfigError, match=r"holdout\.share"):
        HoldoutConfig(share=share)
