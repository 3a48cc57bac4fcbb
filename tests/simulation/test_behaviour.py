import numpy as np
import pytest

from feedmill.simulation import WorldConfig
from feedmill.simulation.behaviour import CHANCES, Watching, act
from feedmill.simulation.config import ActionConfig


def test_the_watched_share_has_the_mean_that_is_said_of_it():
    watching = Watching(WorldConfig(noise=1.5, floor=0.01, ceiling=0.9))
    noise = np.random.default_rng(6).standard_normal(200_000, dtype=np.float32)
    for utility in (-1.5, -0.3, 0.0, 0.8):
        share = watching.share(np.full_like(noise, utility), noise)
        assert share.mean() == pytest.approx(float(watching.expected(np.float32(utility))), abs=0.003)


def test_without_noise_the_share_follows_the_curve():
    watching = Watching(WorldConfig(noise=0, floor=0, ceiling=1))
    utility = np.array([-2, 0, 1], dtype=np.float32)
    # 1 - exp(-exp(1.5 x - 1)): exp(-4) = 0.01832, exp(-1) = 0.36788, exp(0.5) = 1.64872.
    expected = [0.01815, 0.30780, 0.80770]
    assert watching.share(utility, np.zeros(3, dtype=np.float32)) == pytest.approx(expected, abs=1e-4)
    assert watching.expected(utility) == pytest.approx(expected, abs=1e-4)


def test_little_counts_as_nothing_and_most_as_all():
    # Without noise the interest is the utility; at 0 the curve is at 0.3078, and (0.3078 - 0.1) / 0.8 = 0.25975.
    watching = Watching(WorldConfig(noise=0, floor=0.1, ceiling=0.9))
    share = watching.share(np.array([-2, 0, 1.5], dtype=np.float32), np.zeros(3, dtype=np.float32))
    assert share == pytest.approx([0, 0.25975, 1], abs=1e-4)


def _rates(config, share, expected, n=400_000):
    generator = np.random.default_rng(1)
    chances = [generator.random(n, dtype=np.float32) for _ in range(CHANCES)]
    full = np.ones(n, dtype=np.float32)
    actions = act(config, share * full, expected * full, 20 * full, full, chances)
    return {name: getattr(actions, name).mean() for name in actions.__dataclass_fields__}


def test_actions_follow_as_often_as_configured():
    config = ActionConfig(
        click=0.8, click_within=0.5, like=0.1, share=0.2, comment=0.3, save=0.4, follow=0.5, hide=0.6, report=0.7
    )
    rates = _rates(config, 0.5, 0.4)
    # Pleased 0.5 x 0.4 = 0.2, displeased (0.5 x 0.6)^2 = 0.09, clicks 0.8 x (1 - 1/e).
    expected = {
        "clicked": 0.5057, "liked": 0.02, "shared": 0.04, "commented": 0.06, "saved": 0.08, "followed": 0.1,
        "hidden": 0.054, "reported": 0.063, "skipped": 0,
    }  # fmt: skip
    assert rates == pytest.approx(expected, abs=0.003)


def test_nobody_likes_what_was_not_watched_or_hides_what_was_watched_to_the_end():
    assert _rates(ActionConfig(), 0.0, 0.9)["liked"] == 0
    assert _rates(ActionConfig(), 1.0, 0.1)["hidden"] == 0


def test_a_skip_is_early_in_seconds_and_in_share():
    # Of 20 seconds: 2.8, and 3.2.
    assert _rates(ActionConfig(), 0.14, 0.5, n=10)["skipped"] == 1
    assert _rates(ActionConfig(), 0.16, 0.5, n=10)["skipped"] == 0
