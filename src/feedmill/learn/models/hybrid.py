"""Hybrids: several models as one (Burke, 2002, sections 3.1 and 3.2: weighted and switching; Breiman, 1996, "Stacked
regressions": weights that are learned).

Each part has its default settings and learns what the hybrid does. Scores of different models have different units: in
a blend each part's scores of a user count from 0, its lowest, to 1, its highest.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from scipy import optimize

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.domain.records import Item
from feedmill.learn.models.batch import BatchModel, Bools, Integers, Matrix, as_matrix
from feedmill.learn.models.single import SINGLE_MODELS
from feedmill.learn.models.space import Range


class Hybrid(BatchModel):
    """Parts by name, which stand in the config as `models`; their seed is that of the config."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.parts = self._new_parts()
        self._bodies: dict[int, Item] = {}

    @abstractmethod
    def _together(
        self,
        scores: Sequence[Float32s],  # [b, items] each: what the parts say
        history: Matrix,
    ) -> Float32s:
        """float32 [b, items]"""

    def describe(self, items: Mapping[int, Item]) -> Self:
        self._bodies.update(items)
        for part in self.parts:
            part.describe(items)
        return self

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        for part in self.parts:
            part.fit(train)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        return self._together([part._scores(history, users) for part in self.parts], history)

    def _describable(self) -> Bools:
        found = super()._describable()
        for part in self.parts:
            own = part._describable()
            if own.shape == found.shape:
                found = found | own
        return found

    def _new_parts(self) -> list[BatchModel]:
        made = []
        for name in self.config.models:
            kind = SINGLE_MODELS[name]
            seeded = {"seed": self.config.seed} if "seed" in kind.Config.__struct_fields__ else {}
            made.append(kind(kind.Config(**seeded)))
        return made

    def _kept(self) -> dict[str, Any]:
        parts = {f"part{i}": np.frombuffer(part.dump(), dtype=np.uint8) for i, part in enumerate(self.parts)}
        return {**super()._kept(), **parts}

    def _restore(self, kept: dict[str, Any]) -> None:
        for i, part in enumerate(self.parts):
            self.parts[i] = type(part).parse(kept.pop(f"part{i}").tobytes(), f"part {i} ({part.name})")
        super()._restore(kept)


def check_parts(hybrid: str, models: Sequence[str]) -> None:
    """Raises ConfigError for parts that there are not, and for fewer than two."""
    if len(models) < 2 or len(set(models)) < len(models):
        raise ConfigError(f"{hybrid}.models: {'+'.join(models) or 'none'}; name at least two, each once")
    for name in models:
        if name not in SINGLE_MODELS:
            raise ConfigError(f"{hybrid}.models: no model is called {name!r}; there are {', '.join(SINGLE_MODELS)}")


class WeightedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which models, and what the first counts."""

    models: tuple[str, ...] = ("ease", "popularity")
    first: float = 0.7
    """What the first counts, from 0 to 1; the others share the rest."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_parts("weighted", self.models)
        if not 0 <= self.first <= 1:
            raise ConfigError(f"weighted.first: {self.first} must be from 0 to 1")


class Weighted(Hybrid):
    """A blend with weights that are told."""

    name = "weighted"
    Config = WeightedConfig
    space: ClassVar = {"first": Range(0, 1)}

    def _together(self, scores: Sequence[Float32s], history: Matrix) -> Float32s:
        config: WeightedConfig = self.config
        rest = (1 - config.first) / (len(scores) - 1)
        return _blend(scores, [config.first] + [rest] * (len(scores) - 1), self._counts > 0)


class StackedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which models, and how what they count is learned."""

    models: tuple[str, ...] = ("ease", "item-neighbours", "popularity")
    negatives: int = 50
    """Items that are drawn beside each user's last one."""
    regularization: float = 0.001
    """Pulls the weights towards 0, so that parts that say the same share what they count."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_parts("stacked", self.models)
        if self.negatives < 1:
            raise ConfigError(f"stacked.negatives: {self.negatives} must be at least 1")
        if not self.regularization >= 0:
            raise ConfigError(f"stacked.regularization: {self.regularization} must be at least 0")


class Stacked(Hybrid):
    """A blend whose weights, none below 0, predict best each user's last interaction, which the parts have not seen.

    The parts then learn again, from everything.
    """

    name = "stacked"
    Config = StackedConfig
    space: ClassVar = {"regularization": Range(1e-6, 1, log=True)}
    learned = ("weights",)

    weights: Float32s
    """float32 [parts], which add up to 1"""

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        self.weights = self._learned_weights(train)
        super()._fit(taken, train)

    def _together(self, scores: Sequence[Float32s], history: Matrix) -> Float32s:
        return _blend(scores, self.weights, self._counts > 0)

    def _learned_weights(self, train: Interactions) -> Float32s:
        even = np.full(len(self.parts), 1 / len(self.parts), dtype=np.float32)
        ordered = train.by_time()
        last = len(ordered) - 1 - np.unique(ordered.users[::-1], return_index=True)[1]
        inside = np.ones(len(ordered), dtype=bool)
        inside[last] = False
        rest, asked = ordered.take(inside), ordered.take(last)
        history = as_matrix(rest)
        known = np.bincount(rest.items, minlength=rest.n_items) > 0
        new = np.asarray(history[asked.users, asked.items] == 0).ravel()
        asked = asked.take(new & known[asked.items] & (np.diff(history.indptr)[asked.users] > 0))
        if not len(asked):
            return even
        generator = np.random.default_rng(self.config.seed)
        drawn = generator.choice(np.flatnonzero(known), (len(asked), self.config.negatives))
        items = np.concatenate([asked.items[:, None], drawn], axis=1)
        columns = []
        for part in self._new_parts():
            part.describe(self._bodies).fit(rest)
            found = np.empty(items.shape, dtype=np.float32)
            for start in range(0, len(asked), self._block):
                users = asked.users[start : start + self._block]
                scaled = _scaled(part._scores(history[users], users), known)
                found[start : start + len(users)] = np.take_along_axis(
                    scaled, items[start : start + len(users)], axis=1
                )
            columns.append(found.ravel())
        features = np.stack(columns, axis=1).astype(np.float64)
        wanted = np.zeros(items.shape)
        wanted[:, 0] = 1
        # Of one user at a time: what all items of a user have in common ranks nothing.
        groups = features.reshape(*items.shape, -1)
        centred = (groups - groups.mean(axis=1, keepdims=True)).reshape(features.shape)
        target = (wanted - wanted.mean(axis=1, keepdims=True)).ravel()
        penalty = np.sqrt(self.config.regularization * len(target)) * np.eye(len(columns))
        found_weights, _ = optimize.nnls(np.concatenate([centred, penalty]), np.append(target, np.zeros(len(columns))))
        total = found_weights.sum()
        return even if total <= 0 else (found_weights / total).astype(np.float32)


class SwitchingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model, by how much is known of a user."""

    models: tuple[str, ...] = ("popularity", "ease")
    """The first for users of whom little is known, the second for the others."""
    few: int = 5
    """Who took to fewer items is one of whom little is known."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_parts("switching", self.models)
        if len(self.models) != 2:
            raise ConfigError(f"switching.models: {'+'.join(self.models)}; name two")
        if self.few < 1:
            raise ConfigError(f"switching.few: {self.few} must be at least 1")


class Switching(Hybrid):
    """One model or the other."""

    name = "switching"
    Config = SwitchingConfig
    space: ClassVar = {"few": Range(1, 50, log=True, whole=True)}

    def _together(self, scores: Sequence[Float32s], history: Matrix) -> Float32s:
        little = np.diff(history.indptr) < self.config.few
        found: Float32s = np.where(little[:, None], scores[0], scores[1]).astype(np.float32)
        return found


def _blend(scores: Sequence[Float32s], weights: Sequence[float] | Float32s, known: Bools) -> Float32s:
    total = np.zeros_like(scores[0], dtype=np.float32)
    for part, weight in zip(scores, weights, strict=True):
        total += np.float32(weight) * _scaled(part, known)
    return total


def _scaled(scores: Float32s, known: Bools) -> Float32s:
    """Each row from 0 to 1, over the items that somebody took to."""
    of_known = scores[:, known]
    low, high = of_known.min(axis=1, keepdims=True), of_known.max(axis=1, keepdims=True)
    scaled: Float32s = (scores - low) / np.where(high > low, high - low, 1)
    return scaled.astype(np.float32)
