"""What labels are."""

from __future__ import annotations

import pytest

from feedmill.domain.objectives import Objective


@pytest.mark.parametrize(
    ("objective", "outcomes", "label"),
    [
        (Objective("like"), {}, 0.0),
        (Objective("like"), {"like": 1.0}, 1.0),
        (Objective("like"), {"click": 1.0}, 0.0),
        (Objective("like"), {"like": 0.0}, 0.0),
        (Objective("rating", threshold=3.5), {"rating": 3.5}, 0.0),
        (Objective("rating", threshold=3.5), {"rating": 4.0}, 1.0),
        (Objective("view", kind="regression", scale=60.0), {"view": 90.0}, 1.5),
        (Objective("view", kind="regression", scale=60.0), {}, 0.0),
        (Objective("view", kind="regression", scale=1e-30), {"view": 3e38}, 1e6),
        (Objective("profit", kind="regression"), {"profit": -3e38}, -1e6),
    ],
)
def test_a_label_is_what_followed(objective: Objective, outcomes: dict[str, float], label: float) -> None:
    assert objective.label(outcomes) == label
