"""What is known of a user or an item, as the components and bags of keys that the native fold holds."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from feedmill.domain.ids import UInt64s, hash_id
from feedmill.domain.records import Item, Scalar, User
from feedmill.stream.features.config import FeatureConfig

Bags = tuple[UInt64s, npt.NDArray[np.uint32]]


def half_power(value: float) -> int:
    """The half power of two that a magnitude lies in: what a number's bucket is named by.

    >>> [half_power(x) for x in (0, 1, 3, 8, -8)]
    [0, 2, 4, 6, -6]
    """
    return int(math.copysign(math.floor(2 * math.log2(1 + abs(value))), value)) if math.isfinite(value) else 0


@functools.lru_cache(maxsize=65_536, typed=True)
def attribute_keys(name: str, value: Scalar) -> tuple[int, ...]:
    """The keys of one attribute: its value, and for a number also its half power of two."""
    if value is None or value == "":
        return ()
    exact = hash_id(f"{name}={value}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return exact, hash_id(f"{name}~{half_power(value)}")
    return (exact,)


def _bags(bags: Iterable[Sequence[int]]) -> Bags:
    ids: list[int] = []
    ends: list[int] = []
    for bag in bags:
        ids.extend(bag)
        ends.append(len(ids))
    return np.array(ids, dtype=np.uint64), np.array(ends, dtype=np.uint32)


@functools.lru_cache(maxsize=64)
def _set_of(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)


def _attributes(own: tuple[str, ...], attributes: Mapping[str, Scalar]) -> list[Sequence[int]]:
    named = _set_of(own)
    shared = [key for name, value in attributes.items() if name not in named for key in attribute_keys(name, value)]
    return [shared, *(attribute_keys(name, attributes.get(name)) for name in own)]


def user_bags(config: FeatureConfig, user: User | None) -> Bags:
    """Bags of a user: interests, shared attributes, then each attribute that has its own."""
    if user is None:
        return _bags([])
    interests = [hash_id(interest) for interest in user.interests]
    return _bags([interests, *_attributes(config.user_attributes, user.attributes)])


def user_bag_names(config: FeatureConfig) -> tuple[str, ...]:
    """The names of the bags that `user_bags` gives."""
    return ("interests", "user_attributes", *(f"user.{name}" for name in config.user_attributes))


def item_bags(config: FeatureConfig, item: Item | None, tags: tuple[int, ...]) -> Bags:
    """Bags of an item: categories and tags, shared attributes, then each attribute that has its own."""
    if item is None:
        return _bags([])
    return _bags([tags, *_attributes(config.item_attributes, item.attributes)])


def item_bag_names(config: FeatureConfig) -> tuple[str, ...]:
    """The names of the bags that `item_bags` gives."""
    return ("tags", "item_attributes", *(f"item.{name}" for name in config.item_attributes))


def duration_key(seconds: float | None) -> int:
    """The `duration` component: the half power of two of the seconds, 0 where unknown."""
    if seconds is None or not 0 < seconds < math.inf:
        return 0
    return hash_id(str(math.floor(2 * math.log2(seconds))))
