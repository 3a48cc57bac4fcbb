"""The shapes of the models and how they learn: apart from the models, so that reading them does not load torch."""

from __future__ import annotations

import msgspec

from feedmill.domain.errors import ConfigError


class RankerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ranker's shape and how it learns."""

    slots: tuple[str, ...] = ()
    """Features that are slots; empty takes all that the feature configuration has."""
    dimension: int = 8
    """Of the vectors that interact."""
    hidden: tuple[int, ...] = (32,)
    linear_learning_rate: float = 0.02
    vector_learning_rate: float = 0.01
    initial_scale: float = 0.05
    """Vectors start uniform within this; weights start at zero."""
    first_dense_learning_rate: float = 0.005
    """Of the dense part at its first step: it comes down with the steps, so that a small log teaches something, too."""
    dense_learning_rate: float = 0.0007
    """Where it comes down to, from the first step on where that would be lower."""
    rate_weight: float = 0.1
    """What the rate of an objective in each group of counters, under the first half-life, weighs in a new model: how
    far it is from the rate over everything, in log-odds where the objective is binary. So the counters speak from the
    first event on, and not only once the model has learned to listen to them."""
    admission: int = 1
    """At which occurrence an id gets a row."""
    waiting: int = 1 << 20
    """How many ids are counted that wait for it, in 32 to 64 bytes each; then the one that was seen longest ago
    goes."""
    time_to_live_days: float | None = None
    """After how long without an update a row may be dropped."""

    def __post_init__(self) -> None:
        if self.dimension < 1 or any(width < 1 for width in self.hidden):
            raise ConfigError("ranker.dimension and the widths of ranker.hidden must be at least 1")
        for name, most in (("admission", 65_535), ("waiting", 1 << 32)):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(f"ranker.{name}: {getattr(self, name)} must be at least 1 and at most {most}")
        if not 0 <= self.rate_weight <= 1:
            raise ConfigError(f"ranker.rate_weight: {self.rate_weight} must be between 0 and 1")
        for name in (
            "linear_learning_rate", "vector_learning_rate", "first_dense_learning_rate", "dense_learning_rate",
        ):  # fmt: skip
            if not 0 < getattr(self, name) <= 10:
                raise ConfigError(f"ranker.{name}: {getattr(self, name)} must be above 0 and at most 10")


class TwoTowerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shape of the towers and how they learn."""

    dimension: int = 32
    user_slots: tuple[str, ...] = ("user", "history", "interests", "user_attributes")
    item_slots: tuple[str, ...] = ("item", "author", "tags")
    learning_rate: float = 0.1
    initial_scale: float = 0.1
    """Vectors start uniform within this."""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise ConfigError("retrieval.dimension must be at least 1")
        for name in ("user_slots", "item_slots"):
            if not getattr(self, name):
                raise ConfigError(f"retrieval.{name}: name at least one feature")
        if not 0 < self.learning_rate <= 10:
            raise ConfigError(f"retrieval.learning_rate: {self.learning_rate} must be above 0 and at most 10")
