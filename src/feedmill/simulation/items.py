"""What the world's authors make: every item that will be born before the world ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY
from feedmill.domain.records import Item
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.topics import CHANNELS, FRAMES, MIXED_FRAMES, TOPICS

STYLES = 3
"""Dimensions of an author's manner."""
SHORTEST, LONGEST = 5.0, 90.0
"""Seconds."""
TYPICAL_DURATION = 25.0
MIXED_FROM = 0.25
"""The weight from which an item's second topic shows in its title and tags."""


@dataclass(frozen=True, slots=True)
class Items:
    """The items in order of birth. What stands only here, and not in `bodies`, is hidden from every policy."""

    ids: tuple[str, ...]
    bodies: tuple[Item, ...]
    created_at: Int64s
    """int64 [n], ascending."""
    authors: Int64s
    """int64 [n]."""
    topics: Float32s
    """float32 [n, topics]: weights that sum to 1."""
    styles: Float32s
    """float32 [n, STYLES]: the author's manner, of length about 1."""
    appeal: Float32s
    """float32 [n]: probits from quality and length, the same for everybody."""
    durations: Float32s
    """float32 [n]: whole seconds."""

    def __len__(self) -> int:
        return len(self.ids)


def make_items(config: WorldConfig, demand: Float32s, generator: np.random.Generator) -> Items:
    """The items of a world whose users love topics in proportion to `demand` (float32 [topics])."""
    n_topics, n_authors = len(TOPICS), config.authors
    # Authors follow demand, but less than in proportion; so a random item is not already a popular one.
    supply = np.sqrt(demand) / np.sqrt(demand).sum()
    focus = generator.choice(n_topics, size=(n_authors, 2), p=supply)
    author_quality = generator.normal(0, config.quality * np.sqrt(0.5), size=n_authors)
    author_style = generator.normal(0, 1 / np.sqrt(STYLES), size=(n_authors, STYLES)).astype(np.float32)
    author_length = generator.normal(np.log(TYPICAL_DURATION), 0.4, size=n_authors)
    diligence = generator.lognormal(0, 0.7, size=n_authors)

    n_new = config.births_per_day * config.days
    n = config.backlog + n_new
    births = np.concatenate(
        [
            config.start - generator.integers(0, 7 * DAY, size=config.backlog),
            config.start + generator.integers(0, config.days * DAY, size=n_new),
        ]
    )
    births.sort()

    authors = generator.choice(n_authors, size=n, p=diligence / diligence.sum())
    first = focus[authors, (generator.random(n) < 0.2).astype(np.intp)]
    second = generator.integers(0, n_topics, size=n)
    share = np.where(generator.random(n) < 0.5, generator.uniform(0.15, 0.45, size=n), 0.0)
    topics = np.zeros((n, n_topics), dtype=np.float32)
    np.add.at(topics, (np.arange(n), first), 1 - share)
    np.add.at(topics, (np.arange(n), second), share)

    durations = (
        np.exp(generator.normal(author_length[authors], 0.35)).clip(SHORTEST, LONGEST).round().astype(np.float32)
    )
    quality = author_quality[authors] + generator.normal(0, config.quality * np.sqrt(0.5), size=n)
    appeal = quality - config.length * np.log2(durations / TYPICAL_DURATION)

    shows_second = (share >= MIXED_FROM) & (first != second)
    words = generator.integers(0, 1 << 16, size=(n, 3))
    bodies = tuple(
        _body(
            int(births[i]),
            int(authors[i]),
            float(durations[i]),
            int(first[i]),
            int(second[i]) if mixed else None,
            words[i],
        )
        for i, mixed in enumerate(shows_second)
    )
    return Items(
        ids=tuple(f"video-{i:05d}" for i in range(n)),
        bodies=bodies,
        created_at=births.astype(np.int64),
        authors=authors.astype(np.int64),
        topics=topics,
        styles=author_style[authors],
        appeal=appeal.astype(np.float32),
        durations=durations,
    )


def author_id(author: int) -> str:
    """The handle of an author.

    >>> author_id(16)
    'studio-17'
    """
    return f"{CHANNELS[author % len(CHANNELS)]}-{author + 1}"


def _body(created_at: int, author: int, duration: float, first: int, second: int | None, words: Int64s) -> Item:
    topic = TOPICS[first]
    subject = topic.subjects[words[0] % len(topic.subjects)]
    tags = [topic.name, subject]
    if second is None:
        title = FRAMES[words[2] % len(FRAMES)].format(subject)
    else:
        other = TOPICS[second]
        guest = other.subjects[words[1] % len(other.subjects)]
        title = MIXED_FRAMES[words[2] % len(MIXED_FRAMES)].format(subject, guest)
        tags += [other.name, guest]
    return Item(
        title=title[0].upper() + title[1:],
        author_id=author_id(author),
        created_at=created_at,
        categories=(topic.name,),
        tags=tuple(tags),
        duration=duration,
    )
