"""Which slots a model reads: the bridge from feature names to slot numbers and to the native fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feedmill._native import View
from feedmill.domain.batches import Features
from feedmill.domain.errors import ConfigError
from feedmill.domain.ids import VALUE_BITS
from feedmill.domain.slots import Segment, Slot, SlotRegistry
from feedmill.stream.features.config import FeatureConfig
from feedmill.stream.features.entities import item_bag_names, user_bag_names

SlotSource = tuple[str, list[int]]
"""The kind of a slot and what it reads, as the native fold names them."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The slots of one model, in the order of its input, and the native view that emits them."""

    slots: tuple[Slot, ...]
    view: View

    def __len__(self) -> int:
        return len(self.slots)

    def fits(self, features: Features, dense_columns: int) -> bool:
        """Whether features can be those of this schema: its slots in its order, and finite dense columns."""
        n = len(features)
        if features.dense.shape[1] != dense_columns or len(features.offsets) != n * len(self) + 1:
            return False
        numbers = np.array([slot.number for slot in self.slots] * n, dtype=np.uint64)
        expected = np.repeat(numbers, np.diff(features.offsets))
        return bool((features.ids >> VALUE_BITS == expected).all() and np.isfinite(features.dense).all())


def sources(config: FeatureConfig) -> dict[str, SlotSource]:
    """Every feature that can be a slot: name to source."""
    named: dict[str, SlotSource] = {name: ("components", [i]) for i, name in enumerate(config.components())}
    named |= {"x".join(cross): ("components", config.indexes(cross)) for cross in config.crosses}
    named |= {name: ("user_bag", [i]) for i, name in enumerate(user_bag_names(config))}
    named |= {name: ("item_bag", [i]) for i, name in enumerate(item_bag_names(config))}
    return named | {"age": ("age", []), "history": ("history", [])}


def make_schema(
    registry: SlotRegistry,
    config: FeatureConfig,
    model: str,
    features: tuple[str, ...],
    segments: tuple[Segment, ...],
    *,
    dense: bool,
    admission: int = 1,
    time_to_live: int | None = None,
) -> Schema:
    """Register a slot `model/feature` for each feature, and make the view that emits them (and the dense columns).

    Raises ConfigError for a feature that the configuration does not have.
    """
    known = sources(config)
    for name in features:
        if name not in known:
            raise ConfigError(f"{model}: {name!r} is no feature to make a slot of; known are {', '.join(known)}")
    slots = tuple(registry.register(f"{model}/{name}", segments, admission, time_to_live) for name in features)
    read = [(known[name][0], slot.number, known[name][1]) for name, slot in zip(features, slots, strict=True)]
    return Schema(slots, View(read, dense))
