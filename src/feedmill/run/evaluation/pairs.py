"""Models compared two by two, as a table of a report."""

from __future__ import annotations

from collections.abc import Sequence

from feedmill.measure.metrics import Difference
from feedmill.run.report.page import table


def pairs_table(differences: Sequence[Difference]) -> str:
    """A row a pair: who is ahead, by how much, and whether that could be chance."""
    rows = [
        (
            pair.first, pair.second, f"{pair.interval.estimate:+.4f}",
            f"{pair.interval.low:+.4f} to {pair.interval.high:+.4f}", f"{pair.corrected:.2g}",
            "no" if pair.significant() else "could be",
        )
        for pair in differences
    ]  # fmt: skip
    return table(("ahead", "behind", "difference", "95 % interval", "p, corrected", "chance?"), rows, first=2)
