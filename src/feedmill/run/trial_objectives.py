"""Predictions of what follows impressions, beside the rate that each item has had so far."""

from __future__ import annotations

import numpy as np

from feedmill.domain.batches import Examples, Float32s
from feedmill.domain.errors import InvalidArgument
from feedmill.learn.training.learner import Learner
from feedmill.measure.evaluation.popularity import FadingRates
from feedmill.measure.metrics import auc, binary_metrics, paired_bootstrap
from feedmill.measure.metrics.bootstrap import Interval
from feedmill.run.trial_report import ObjectiveComparison

SAMPLES = 500
ALL_TIME, RECENT = "all time", "recent"
_KINDS = (ALL_TIME, RECENT)


class ObjectiveTally:
    """Examples as they are learned: rates from all, and from those that are judged, what was predicted of them."""

    def __init__(self, learner: Learner, half_life: float) -> None:
        """`half_life` in milliseconds, of the recent kind of rates."""
        self._learner = learner
        objectives = learner.config.objectives
        self._columns = {name: i for i, name in enumerate(objectives) if objectives[name].kind == "binary"}
        self._rates = {name: {ALL_TIME: FadingRates(), RECENT: FadingRates(half_life)} for name in self._columns}
        self._judged: list[tuple[Examples, Float32s]] = []
        self._expected: dict[tuple[str, str], list[np.ndarray[tuple[int], np.dtype[np.float64]]]] = {}
        self._ordinals: dict[int, int] = {}

    def add(self, examples: Examples, predictions: Float32s, *, judged: bool) -> None:
        """Take what a step predicted, float32 [n, O], and then learned."""
        if not len(examples):
            return
        items = np.array([self._ordinals.setdefault(key, len(self._ordinals)) for key in examples.items.tolist()])
        for name, column in self._columns.items():
            for kind, rates in self._rates[name].items():
                if judged:
                    self._expected.setdefault((name, kind), []).append(rates.predict(items))
                told = examples.weights[:, column] > 0
                rates.add(items[told], examples.timestamps[told], examples.labels[told, column])
        if judged:
            self._judged.append((examples, predictions))

    def compare(self, seed: int) -> dict[str, ObjectiveComparison]:
        """The binary objectives of which the judged examples hold both cases."""
        if not self._judged:
            return {}
        labels, weights, users = (
            np.concatenate([getattr(examples, field) for examples, _ in self._judged])
            for field in ("labels", "weights", "users")
        )
        predictions = np.concatenate([predicted for _, predicted in self._judged])
        compared = {}
        for name, column in self._columns.items():
            told = weights[:, column] > 0
            truth, ours = labels[told, column], predictions[told, column].astype(np.float64)
            if len(np.unique(truth > 0)) < 2:
                continue
            theirs = {kind: np.concatenate(self._expected[name, kind])[told] for kind in _KINDS}
            kind = max(_KINDS, key=lambda kind: auc(truth, theirs[kind]))
            compared[name] = ObjectiveComparison(
                feedmill=binary_metrics(truth, ours),
                popularity=binary_metrics(truth, theirs[kind]),
                popularity_kind=kind,
                auc_difference=_difference(truth, ours, theirs[kind], users[told], seed),
            )
        return compared


def _difference(
    truth: np.ndarray[tuple[int], np.dtype[np.float32]],
    ours: np.ndarray[tuple[int], np.dtype[np.float64]],
    theirs: np.ndarray[tuple[int], np.dtype[np.float64]],
    users: np.ndarray[tuple[int], np.dtype[np.uint64]],
    seed: int,
) -> Interval | None:
    try:
        return paired_bootstrap(auc, truth, ours, theirs, users, SAMPLES, np.random.default_rng(seed))
    except InvalidArgument:
        # There is but one user.
        return None
