"""Who makes the world's items, and whether they still care to."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY
from feedmill.simulation.behaviour import Bools
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.noise import Channel, Draws
from feedmill.simulation.topics import CHANNELS, TOPICS

STYLES = 3
"""Dimensions of an author's manner."""
TYPICAL_DURATION = 25.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Authors:
    """What stays with an author. Nothing of it but the id is told to a policy."""

    ids: tuple[str, ...]
    focus: Int64s
    """int64 [n, 2]: the topic of most items, and that of some."""
    quality: Float32s
    """float32 [n]: probits."""
    styles: Float32s
    """float32 [n, STYLES]: of length about 1."""
    lengths: Float32s
    """float32 [n]: the logarithm of the typical duration in seconds."""
    diligence: Float32s
    """float32 [n]: items planned, 1 on average or so."""

    def __len__(self) -> int:
        return len(self.ids)

    def with_one_more(self, topic: int, quality: float, generator: np.random.Generator) -> Authors:
        """These and an author about one topic."""
        style = generator.normal(0, 1 / np.sqrt(STYLES), size=(1, STYLES)).astype(np.float32)
        return Authors(
            ids=(*self.ids, author_id(len(self))),
            focus=np.append(self.focus, [[topic, topic]], axis=0),
            quality=np.append(self.quality, np.float32(quality)),
            styles=np.append(self.styles, style, axis=0),
            lengths=np.append(self.lengths, np.float32(np.log(TYPICAL_DURATION))),
            diligence=np.append(self.diligence, np.float32(1)),
        )


def make_authors(config: WorldConfig, demand: Float32s, generator: np.random.Generator) -> Authors:
    """The authors of a world whose users love topics in proportion to `demand` (float32 [topics])."""
    n = config.authors
    # Authors follow demand, but less than in proportion; so a random item is not already a popular one.
    supply = np.sqrt(demand.astype(np.float64))
    return Authors(
        ids=tuple(author_id(author) for author in range(n)),
        focus=generator.choice(len(TOPICS), size=(n, 2), p=supply / supply.sum()).astype(np.int64),
        quality=generator.normal(0, config.quality * np.sqrt(0.5), size=n).astype(np.float32),
        styles=generator.normal(0, 1 / np.sqrt(STYLES), size=(n, STYLES)).astype(np.float32),
        lengths=generator.normal(np.log(TYPICAL_DURATION), 0.4, size=n).astype(np.float32),
        diligence=generator.lognormal(0, 0.7, size=n).astype(np.float32),
    )


def author_id(author: int) -> str:
    """The handle of an author.

    >>> author_id(16)
    'studio-17'
    """
    return f"{CHANNELS[author % len(CHANNELS)]}-{author + 1}"


class Audiences:
    """How often each author was seen lately in one copy of a world. Who has too small an audience stops publishing,
    but for a try now and then, and takes it up again when old items find one."""

    def __init__(self, config: WorldConfig) -> None:
        self._config = config
        per_day = config.users * config.feeds_per_day * config.page / config.authors
        self.even = per_day * config.audience_half_life / DAY / np.log(2)
        """What every author would have in the long run if all were seen equally often, a page in each session."""
        self.now: Float32s = np.full(config.authors, self.even, dtype=np.float32)
        """float32 [authors]: impressions, older ones faded. All start from an even audience."""

    def copy(self) -> Audiences:
        twin = copy.copy(self)
        twin.now = self.now.copy()
        return twin

    def fade(self, milliseconds: int) -> None:
        self.now *= np.float32(0.5 ** (milliseconds / self._config.audience_half_life))

    def see(self, authors: Int64s) -> None:
        """Count one impression each."""
        self.now += np.bincount(authors, minlength=len(self.now)).astype(np.float32)

    def welcome_one_more(self) -> None:
        """A new author, who starts with an even audience like all others."""
        self.now = np.append(self.now, np.float32(self.even))

    @property
    def keen(self) -> Bools:
        """bool [authors]: who publishes all that was planned."""
        large: Bools = self.now >= self._config.audience * self.even
        return large

    def publishes(self, items: Int64s, authors: Int64s, draws: Draws) -> Bools:
        """bool: which of the items that are due are published."""
        needed = max(self._config.audience * self.even, 1e-9)
        # Well under the audience needed, an author does not go on at a slower pace but stops.
        heart = ((self.now[authors] / needed) ** 2).clip(self._config.comeback, 1)
        published: Bools = draws.uniform(Channel.PUBLISH, items, 0) < heart
        return published
