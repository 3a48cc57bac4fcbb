"""Gradient-boosted trees, from LightGBM (Friedman, 2001; Ke et al., 2017): a static baseline for click-through."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import numpy as np

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.learn.models.peers import lightgbm_module
from feedmill.learn.models.space import Range
from feedmill.learn.models.trees import TreeModel


class BoostedTreesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many trees, and how large."""

    trees: int = 200
    learning_rate: float = 0.05
    leaves: int = 31
    least_rows: int = 20
    """Of a leaf."""
    smoothing: float = 10.0
    """How many examples the mean of all labels counts as in the rate of an id."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("trees", 1), ("leaves", 2), ("least_rows", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"boosted-trees.{name}: {getattr(self, name)} must be at least {least}")
        if not 0 < self.learning_rate <= 1:
            raise ConfigError(f"boosted-trees.learning_rate: {self.learning_rate} must be above 0 and at most 1")
        if not self.smoothing > 0:
            raise ConfigError(f"boosted-trees.smoothing: {self.smoothing} must be above 0")


class BoostedTrees(TreeModel):
    """Each tree corrects those before it."""

    name = "boosted-trees"
    Config = BoostedTreesConfig
    space: ClassVar = {
        "trees": Range(20, 1_000, log=True, whole=True),
        "learning_rate": Range(0.01, 0.3, log=True),
        "leaves": Range(4, 256, log=True, whole=True),
        "least_rows": Range(5, 500, log=True, whole=True),
        "smoothing": Range(1, 100, log=True),
    }

    def _grow(self, columns: Float32s, labels: Float32s, weights: Float32s, *, binary: bool) -> Any:
        config: BoostedTreesConfig = self.config
        lightgbm: Any = lightgbm_module()
        settings = {
            "objective": "binary" if binary else "regression",
            "learning_rate": config.learning_rate,
            "num_leaves": config.leaves,
            "min_data_in_leaf": config.least_rows,
            "seed": config.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }
        return lightgbm.train(settings, lightgbm.Dataset(columns, labels, weight=weights), config.trees)

    def _answer(self, trees: Any, columns: Float32s) -> Float32s:
        found: Float32s = np.asarray(trees.predict(columns, num_threads=1), dtype=np.float32)
        return found

    def _packed(self, trees: Any) -> dict[str, Any]:
        return {"text": np.frombuffer(trees.model_to_string().encode(), dtype=np.uint8)}

    def _unpacked(self, arrays: dict[str, Any]) -> Any:
        lightgbm: Any = lightgbm_module()
        return lightgbm.Booster(model_str=arrays["text"].tobytes().decode())
