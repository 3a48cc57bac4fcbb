"""What a person can have made for a world: a viral item, a gifted author. Drawn from the world's seed, what there is
already and the topic alone, so equal copies get equal things."""

from __future__ import annotations

import dataclasses

import numpy as np

from feedmill.domain.batches import Int64s
from feedmill.domain.clock import DAY
from feedmill.domain.errors import NotFound
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.creators import Authors
from feedmill.simulation.items import Items, draw_items
from feedmill.simulation.topics import TOPICS

VIRAL_APPEAL = 3.0
"""Probits that a viral item is ahead of the average one: more than an unloved topic costs."""
GIFT = 0.6
"""Probits that the author of a new studio is better than the average one."""
STUDIO_ITEMS_PER_DAY = 8


def topic_number(name: str) -> int:
    """The index of a topic. Raises NotFound that names those there are."""
    names = [topic.name for topic in TOPICS]
    if name not in names:
        raise NotFound(f"topic {name!r}: the world has no such topic, only {', '.join(names)}")
    return names.index(name)


def viral_item(config: WorldConfig, seed: int, items: Items, authors: Authors, topic: int, now: int) -> Items:
    """One item about a topic that almost everybody likes, by an author of that topic where there is one; born at once
    after `now` (UTC milliseconds)."""
    generator = np.random.default_rng([seed, len(items), topic])
    makers = np.flatnonzero(authors.focus[:, 0] == topic)
    maker = generator.choice(makers if len(makers) else np.arange(len(authors)), size=1)
    only = dataclasses.replace(authors, focus=np.full_like(authors.focus, topic))
    drawn = draw_items(config, only, maker, np.array([now + 1]), len(items), generator)
    return dataclasses.replace(drawn, appeal=np.full_like(drawn.appeal, VIRAL_APPEAL))


def studio_items(config: WorldConfig, seed: int, items: Items, authors: Authors, studio: int, now: int) -> Items:
    """What the author of an index will publish until the world ends: the first at once after `now`."""
    generator = np.random.default_rng([seed, len(items), int(authors.focus[studio, 0])])
    n = int(STUDIO_ITEMS_PER_DAY * max(0, config.end - now) / DAY)
    births: Int64s = np.sort(generator.integers(now + 1, max(config.end, now + 2), size=n + 1))
    births[0] = now + 1
    return draw_items(config, authors, np.full(n + 1, studio), births, len(items), generator)
