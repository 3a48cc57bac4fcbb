"""Which features there are: components, groups of counters, crosses, and attributes with a slot of their own."""

from __future__ import annotations

import math

import msgspec

from feedmill.domain.errors import ConfigError

USER = "user"
ITEM_COMPONENTS = ("item", "author", "category", "duration")
CLOCK_COMPONENTS = ("hour", "weekday")
OTHER_FEATURES = ("interests", "user_attributes", "tags", "item_attributes", "age", "history")
"""Names of slots that are not components: no key of a context may be called so."""
MOST_COMPONENTS = 64
LONGEST_HISTORY = 10_000


class FeatureConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the extractor makes of a user, an item, a time and a context.

    A component is a single value of a row: `user`, `item`, `author`, `category` (the first category, else the first
    tag), `duration` (in half powers of two of seconds), each key of `context`, `hour` and `weekday` (UTC).
    """

    context: tuple[str, ...] = ("surface",)
    """Keys of a record's or request's context that are features."""
    user_attributes: tuple[str, ...] = ()
    """User attributes with a slot of their own; the others share one."""
    item_attributes: tuple[str, ...] = ()
    """Item attributes with a slot of their own; the others share one."""
    groups: tuple[tuple[str, ...], ...] = (
        ("user",),
        ("item",),
        ("author",),
        ("category",),
        ("surface",),
        ("user", "category"),
        ("user", "author"),
        ("user", "surface"),
        ("user", "duration"),
        ("item", "surface"),
        ("duration", "surface"),
    )
    """Combinations of components that have running counts and rates of every objective."""
    crosses: tuple[tuple[str, ...], ...] = (("duration", "surface"),)
    """Combinations of components that are slots."""
    half_lives: tuple[float, ...] = (0.0, 24.0)
    """Half-lives of the counters in hours; 0 never decays."""
    smoothing: float = 3.0
    """How many impressions the rate over everything weighs in each rate."""
    history_length: int = 50
    """Feedbacks that are kept of each user."""
    history_features: int = 10
    """Of them, the last positive ones that are features."""
    affinity: int = 0
    """With how many of the items that the user liked last an item is compared, by how often both were liked together:
    one more dense column. 0 leaves it out."""
    popularity_half_life: float = 24.0
    """Hours in which half of a like is forgotten in what trends; 0 never."""

    def __post_init__(self) -> None:
        known = self.components()
        for name in self.context:
            if known.count(name) > 1 or name in OTHER_FEATURES:
                raise ConfigError(
                    f"features.context: {name!r} is the name of another feature; give the key another name"
                )
        if len(known) > MOST_COMPONENTS:
            raise ConfigError(f"features.context: {len(self.context)} keys are too many; at most 57 can be features")
        for name, combinations in (("groups", self.groups), ("crosses", self.crosses)):
            for combination in combinations:
                for component in combination:
                    if component not in known:
                        raise ConfigError(
                            f"features.{name}: {component!r} is no component; known are {', '.join(known)} "
                            "(the keys of features.context among them)"
                        )
                if not combination:
                    raise ConfigError(f"features.{name}: an empty combination; name at least one component")
        if not self.half_lives:
            raise ConfigError("features.half_lives: none is given; 0 stands for no decay")
        for half_life in self.half_lives:
            if not 0 <= half_life < math.inf:
                raise ConfigError(f"features.half_lives: {half_life} is no half-life; give hours, or 0 for no decay")
        if not 0 < self.smoothing < math.inf:
            raise ConfigError(f"features.smoothing: {self.smoothing} must be a number above 0")
        if not 1 <= self.history_length <= LONGEST_HISTORY or not 0 <= self.history_features <= self.history_length:
            raise ConfigError(
                f"features.history_length must be 1 to {LONGEST_HISTORY} and features.history_features at most that"
            )
        if not 0 <= self.affinity <= self.history_length:
            raise ConfigError(f"features.affinity: {self.affinity} must be 0 to features.history_length")
        if not 0 <= self.popularity_half_life < math.inf:
            raise ConfigError(f"features.popularity_half_life: {self.popularity_half_life} is no half-life; give hours")

    def components(self) -> tuple[str, ...]:
        """The names of all components in the order of the native fold."""
        return (USER, *ITEM_COMPONENTS, *self.context_components())

    def context_components(self) -> tuple[str, ...]:
        """The names of the components that come with a row: the configured context, then the clock."""
        return (*self.context, *CLOCK_COMPONENTS)

    def indexes(self, combination: tuple[str, ...]) -> list[int]:
        """A combination of names as indexes into `components()`."""
        names = self.components()
        return [names.index(name) for name in combination]
