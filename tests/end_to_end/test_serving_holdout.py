"""What Feedmill is worth: both arms of the holdout, as a server tells them of what was posted to it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.testing.command_line import run_here
from feedmill.testing.serving import Serving, serving, wait_for

USERS = 200
LIKED = {"feedmill": (5, 7), "popularity": (2, 4)}
"""How many of ten items users of an arm like: every second user the one, every second the other."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two hundred users, of whom each was shown ten items, and liked six of them in the mean, or three if held out."""
    with serving(tmp_path_factory.mktemp("holdout") / "home", "--set", "holdout.share=0.3") as opened:
        opened.post("/v1/items", [{"item_id": f"i{n}"} for n in range(50)])
        events: list[dict[str, Any]] = []
        counted = {"feedmill": 0, "popularity": 0}
        for number in range(USERS):
            page = opened.feed(f"u{number}", "limit=10")
            arm = page["arm"]
            assert arm == HoldoutConfig(share=0.3).arm_of(f"u{number}")
            liked = LIKED[arm][counted[arm] % 2]
            counted[arm] += 1
            events += [
                {
                    "user_id": f"u{number}",
                    "item_id": item["item_id"],
                    "action": "like",
                    "request_id": page["request_id"],
                }
                for item in page["items"][:liked]
            ]
        for start in range(0, len(events), 500):
            opened.post("/v1/events", events[start : start + 500])
        yield opened


def arms() -> dict[str, int]:
    counted = {"feedmill": 0, "popularity": 0}
    for number in range(USERS):
        counted[HoldoutConfig(share=0.3).arm_of(f"u{number}")] += 1
    return counted


def expected(arm: str) -> float:
    """Value per item: a like weighs 2."""
    n = arms()[arm]
    likes = (n - n // 2) * LIKED[arm][0] + n // 2 * LIKED[arm][1]
    return 2.0 * likes / (10 * n)


def gauges(served: Serving) -> dict[str, float]:
    text = served.ask("GET", "/metrics").body.decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("feedmill_holdout")]
    return {name: float(value) for name, value in lines}


def test_metrics_give_the_engagement_of_both_arms_with_an_interval(served: Serving) -> None:
    def counted() -> bool:
        return gauges(served).get('feedmill_holdout_engagement{arm="feedmill"}', 0) > 1.199

    wait_for(counted)
    found = gauges(served)
    for arm, users in arms().items():
        assert found[f'feedmill_holdout_users{{arm="{arm}"}}'] == users
        # What is a few seconds old counts a millionth less.
        assert found[f'feedmill_holdout_served_items{{arm="{arm}"}}'] == pytest.approx(10 * users, rel=1e-3)
        assert found[f'feedmill_holdout_engagement{{arm="{arm}"}}'] == pytest.approx(expected(arm), rel=1e-3)
    lift = expected("feedmill") / expected("popularity") - 1
    assert found['feedmill_holdout_lift{bound="estimate"}'] == pytest.approx(lift, rel=1e-3)
    # By hand: every user of an arm is 1 from its mean, so Var(log R) is 1 / (K - 1) / mean^2; the interval reaches
    # about 1.98 standard deviations.
    k = arms()
    deviation = math.sqrt(1 / (k["feedmill"] - 1) / 36 + 1 / (k["popularity"] - 1) / 9)
    half = math.log1p(found['feedmill_holdout_lift{bound="high"}']) - math.log1p(lift)
    assert half == pytest.approx(1.99 * deviation, rel=0.02)


def test_status_says_the_same_while_it_is_served_and_afterwards(served: Serving) -> None:
    worth = run_here("status", "--home", served.home, "--json").json["worth"]
    for arm, users in arms().items():
        assert worth["arms"][arm]["users"] == users
        assert worth["arms"][arm]["engagement"] == pytest.approx(expected(arm), rel=1e-3)
    assert worth["low"] < worth["lift"] < worth["high"]
    assert worth["low"] > 0
    assert f"from {USERS} users" in worth["sentence"]
    assert worth["sentence"] in " ".join(run_here("status", "--home", served.home).stdout.split())


def test_with_a_share_of_0_there_is_no_holdout_and_status_says_so(tmp_path: Path) -> None:
    with serving(tmp_path / "home", "--set", "holdout.share=0") as served:
        served.post("/v1/items", [{"item_id": f"i{n}"} for n in range(50)])
        assert {served.feed(f"u{number}", "limit=1")["arm"] for number in range(60)} == {"feedmill"}
    worth = run_here("status", "--home", tmp_path / "home", "--json").json["worth"]
    assert (worth["arms"]["popularity"]["users"], worth["arms"]["feedmill"]["users"]) == (0, 60)
    assert worth["lift"] is None
    assert worth["sentence"] == (
        "Not enough yet to say what Feedmill is worth: 0 of 30 users were served by the arm popularity."
    )
