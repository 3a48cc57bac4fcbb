"""The watch: how well examples were predicted before they were learned, by windows, and whether that fell off a cliff.

Windows are counted in examples, so that the watch is a function of the log and of the steps: recovery comes to the same
verdict. Of an objective that is a value, the AUC is that of whether it was above its mean.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import SnapshotError
from feedmill.domain.objectives import Objective
from feedmill.learn.guards.config import GuardConfig
from feedmill.learn.guards.hold import Hold
from feedmill.learn.training.learner import Step
from feedmill.measure.metrics.classification import auc
from feedmill.stream.files import storage_errors

FILE = "watch.msgpack"
_PRIOR = 20.0
"""Positives that are added to those predicted and observed, so that a window with few of them says little."""
_CERTAIN = 4.0
"""A fall of the AUC counts when it is that many times its standard error, besides."""


class Watched(msgspec.Struct, frozen=True):
    """What a window says of one objective."""

    examples: float
    """Sum of the weights."""
    observed: float
    """Sum of the labels: of a binary objective the positives."""
    predicted: float
    """Sum of the predictions."""
    auc: float | None
    """None where it is not defined."""
    positives: int
    """Examples that the AUC wants in front of the others."""
    negatives: int
    spread: float | None
    """The standard deviation of a value; None where the objective is binary."""

    @property
    def mean(self) -> float | None:
        """The mean prediction; None where there is nothing to predict."""
        return self.predicted / self.examples if self.examples else None

    @property
    def calibration(self) -> float:
        """Predicted positives for each one observed, drawn to 1 where both are few."""
        return (self.predicted + _PRIOR) / (self.observed + _PRIOR)

    def level(self, mean: float) -> float:
        """Predicted positives for each one that such a `mean` predicts, drawn to 1 where both are few."""
        return (self.predicted + _PRIOR) / (self.examples * mean + _PRIOR)

    def auc_error(self, expected: float) -> float:
        """The standard error of an AUC that is expected to be such (Hanley and McNeil, Radiology 143, 1982)."""
        p, n, square = self.positives, self.negatives, expected * expected
        of_positives = (p - 1) * (expected / (2 - expected) - square)
        of_negatives = (n - 1) * (2 * square / (1 + expected) - square)
        return math.sqrt((expected * (1 - expected) + of_positives + of_negatives) / (p * n))

    @property
    def bias(self) -> float | None:
        """How far the mean prediction of a value is above the mean value, in standard deviations of the value."""
        if not self.spread:
            return None
        return (self.predicted - self.observed) / self.examples / self.spread


class Window(msgspec.Struct, frozen=True):
    """Examples that were learned after one another."""

    step: int
    """The last."""
    examples: int
    set_aside: int
    objectives: dict[str, Watched]


class _Stored(msgspec.Struct, frozen=True):
    """All that a watch remembers."""

    well: list[Window]
    recent: list[Window]
    hold: Hold | None
    well_in_row: int
    size: int
    """Of the open window, as all that follows."""
    set_aside: int
    columns: list[bytes]
    """Labels, weights, predictions, float32 little-endian."""


class Watch:
    """Goes over the steps of a trainer; `hold` says whether what it learns may be published."""

    def __init__(self, objectives: Mapping[str, Objective], config: GuardConfig) -> None:
        self._config = config
        self._is_binary = {name: one.kind == "binary" for name, one in objectives.items()}
        self._well: deque[Window] = deque(maxlen=config.baseline)
        self._recent: deque[Window] = deque(maxlen=config.baseline)
        self._hold: Hold | None = None
        self._well_in_row = 0
        self._begin()

    @property
    def hold(self) -> Hold | None:
        """None where all is well, or where the configuration does not let publishing stop."""
        return self._hold if self._config.enabled else None

    @property
    def latest(self) -> Window | None:
        """The newest window."""
        return self._recent[-1] if self._recent else None

    def add(self, number: int, step: Step) -> None:
        """Take what a step has predicted and learned; `number` is that of the step."""
        if not step.learned:
            return
        examples = step.examples
        refused = sum(one.examples for one in step.refusals if one.model == "ranker")
        self._parts.append((examples.labels, examples.weights, step.predictions))
        self._size += max(len(examples), refused)
        self._set_aside += refused
        if self._size >= self._config.window:
            self._close(number)

    def forget_fall(self) -> None:
        """To be called after a rollback: what is judged from now on are other parameters."""
        self._hold = None
        self._well_in_row = 0
        # Its mean predictions are no measure either.
        self._recent = deque(self._well, self._config.baseline)
        self._begin()

    def save(self, folder: Path) -> None:
        """Write everything to a file in `folder`. Raises StorageError."""
        columns = [column.astype("<f4").tobytes() for column in self._columns()]
        stored = _Stored(
            list(self._well), list(self._recent), self._hold, self._well_in_row, self._size, self._set_aside, columns
        )  # fmt: skip
        with storage_errors(folder / FILE):
            (folder / FILE).write_bytes(msgspec.msgpack.encode(stored))

    def load(self, folder: Path) -> None:
        """Go on from what `save` wrote. Raises SnapshotError."""
        stored = _read(folder)
        self._well = deque(stored.well, self._config.baseline)
        self._recent = deque(stored.recent, self._config.baseline)
        self._hold, self._well_in_row = stored.hold, stored.well_in_row
        self._begin()
        try:
            labels, weights, predictions = (
                np.frombuffer(column, "<f4").astype(np.float32).reshape(-1, len(self._is_binary))
                for column in stored.columns
            )
        except ValueError as error:
            raise SnapshotError(f"{folder / FILE}: cannot be read ({error})") from None
        self._parts.append((labels, weights, predictions))
        self._size, self._set_aside = stored.size, stored.set_aside

    def _begin(self) -> None:
        self._parts: list[tuple[Float32s, Float32s, Float32s]] = []
        self._size = self._set_aside = 0

    def _columns(self) -> tuple[Float32s, ...]:
        empty = np.empty((0, len(self._is_binary)), dtype=np.float32)
        return tuple(np.concatenate([empty, *column]) for column in zip((empty,) * 3, *self._parts, strict=True))

    def _close(self, number: int) -> None:
        labels, weights, predictions = self._columns()
        window = Window(
            number,
            self._size,
            self._set_aside,
            {
                name: _watched(labels[:, at], weights[:, at], predictions[:, at], binary=binary)
                for at, (name, binary) in enumerate(self._is_binary.items())
            },
        )
        reasons = self._fallen(window)
        self._recent.append(window)
        self._begin()
        if reasons:
            self._hold = Hold(number if self._hold is None else self._hold.step, reasons)
            self._well_in_row = 0
            return
        self._well.append(window)
        self._well_in_row += 1
        if self._well_in_row >= self._config.well_windows:
            self._hold = None

    def _fallen(self, window: Window) -> tuple[str, ...]:
        """What is wrong with a window, in words; nothing where it is well."""
        reasons = []
        if 2 * window.set_aside > window.examples:
            reasons.append(f"{window.set_aside:,} of {window.examples:,} examples were set aside")
        if 4 * len(self._well) >= self._config.baseline:
            for name, now in window.objectives.items():
                reasons += self._cliffs(name, now)
        return tuple(reasons)

    def _cliffs(self, name: str, now: Watched) -> list[str]:
        config, before, reasons = self._config, [window.objectives[name] for window in self._well], []
        usual = _median([one.auc for one in before])
        if usual is not None and now.auc is not None:
            allowed = max(config.auc_drop, _CERTAIN * now.auc_error(usual))
            if usual - now.auc > allowed:
                reasons.append(f"{name}: AUC {now.auc:.3f}, {usual:.3f} before")
        if not self._is_binary[name]:
            usual = _median([one.bias for one in before])
            if usual is not None and now.bias is not None and abs(now.bias - usual) > config.value_bias:
                reasons.append(f"{name}: predictions are off by {now.bias:.2f} deviations, {usual:.2f} before")
            return reasons
        usual = _median([one.calibration for one in before])
        if usual is not None and not _near(now.calibration / usual, config.calibration_factor):
            reasons.append(f"{name}: {now.calibration:.2f} predicted for each one observed, {usual:.2f} before")
        # Of all windows, not only of those that were well: where people have changed, predictions do well to follow.
        usual = _median([window.objectives[name].mean for window in self._recent])
        if usual is not None and not _near(now.level(usual), config.prediction_factor):
            reasons.append(f"{name}: mean prediction {now.mean:.4f}, {usual:.4f} before")
        return reasons


def last_seen(folder: Path) -> tuple[Window | None, Hold | None]:
    """The newest window of the watch that was saved in a folder, and whether it held. Raises SnapshotError."""
    stored = _read(folder)
    return stored.recent[-1] if stored.recent else None, stored.hold


def _read(folder: Path) -> _Stored:
    try:
        return msgspec.msgpack.decode((folder / FILE).read_bytes(), type=_Stored)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{folder / FILE}: cannot be read ({error})") from None


def _watched(labels: Float32s, weights: Float32s, predictions: Float32s, *, binary: bool) -> Watched:
    # What is taken back (a weight below 0) counts in the sums, as it was counted once; it has no rank.
    examples, observed, predicted = (
        max(0.0, float((weights.astype(np.float64) * column).sum())) for column in (1.0, labels, predictions)
    )
    label, weight, ranked = (column[weights > 0].astype(np.float64) for column in (labels, weights, predictions))
    above = label > (0.0 if binary or not examples else observed / examples)
    positives, negatives = int(above.sum()), int((~above).sum())
    return Watched(
        examples=examples,
        observed=observed,
        predicted=predicted,
        auc=auc(above, ranked, weight) if positives and negatives else None,
        positives=positives,
        negatives=negatives,
        spread=None if binary else float(label.std()) if len(label) else 0.0,
    )


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _near(ratio: float, factor: float) -> bool:
    return 1 / factor <= ratio <= factor
