"""What every benchmark prints: one JSON object with the figures, the machine, the limit and the peers.

A benchmark parses its arguments with `arguments`, tells of its progress with `progress`, and ends with `report`. Every
figure is a ratio or stands beside its limit and its peers, all taken in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured figure, in the unit that it shares with its limit and its peers."""

    value: float
    unit: str
    limit: float | None = None
    """What the machine could do at best."""
    peers: Mapping[str, float] = field(default_factory=dict)
    """What others do, by name."""
    less_is_better: bool = False

    def to_json(self) -> dict[str, Any]:
        """The figure, with `to_limit` and `to_peer` (the best peer) where they are known; of both, more is better."""
        result: dict[str, Any] = {"value": self.value, "unit": self.unit}
        if self.limit is not None:
            result["limit"] = self.limit
            result["to_limit"] = self._ratio(self.limit)
        if self.peers:
            result["peers"] = dict(self.peers)
            result["to_peer"] = self._ratio((min if self.less_is_better else max)(self.peers.values()))
        return result

    def _ratio(self, other: float) -> float:
        """Ours over the other's, or the inverse where less is better; four significant digits."""
        above, below = (other, self.value) if self.less_is_better else (self.value, other)
        return float(f"{above / below:.4g}") if below else 0.0


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with what all benchmarks take: --json, --quick and --seed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print the result on one line")
    parser.add_argument("--quick", action="store_true", help="a short form, for a first look")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def progress(text: str) -> None:
    """Say on stderr what is going on."""
    print(text, file=sys.stderr, flush=True)


def report(
    figures: Mapping[str, Figure], *, options: argparse.Namespace, libraries: tuple[str, ...] = (), **context: Any
) -> None:
    """Print the result as the last line of stdout; indented over several lines unless --json was given.

    `libraries` are the distributions whose versions matter here; `context` is what else belongs to the run.
    """
    result = {
        "figures": {name: figure.to_json() for name, figure in figures.items()},
        "context": {
            "machine": machine(),
            "cores": cores(),
            "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in libraries}},
            "seed": options.seed,
            "quick": options.quick,
            **context,
        },
    }
    print(json.dumps(result, indent=None if options.json else 2), flush=True)


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    """The processor, the memory and the system, for people."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [
            line.partition(":")[2].strip() for line in information.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    parts = [model]
    if "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB")
    return ", ".join([*parts, platform.platform(terse=True)])
