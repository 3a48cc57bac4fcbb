"""What the world's authors make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.clock import DAY
from feedmill.domain.records import Item
from feedmill.simulation.config import WorldConfig
from feedmill.simulation.creators import STYLES, TYPICAL_DURATION, Authors
from feedmill.simulation.topics import FRAMES, MIXED_FRAMES, TOPICS

SHORTEST, LONGEST = 5.0, 90.0
"""Seconds."""
MIXED_FROM = 0.25
"""The weight from which an item's second topic shows in its title and tags."""
MOODS = ("calm", "bright", "wild", "dreamy", "funny")
"""What a card looks like; nobody likes an item more or less for it."""
OWN_STYLE = 0.3
"""How far an item is from its author's manner, in standard deviations of each dimension."""


@dataclass(frozen=True, slots=True)
class Items:
    """The items, those to come included. What stands only here, and not in `bodies`, is hidden from every policy."""

    ids: tuple[str, ...]
    bodies: tuple[Item, ...]
    created_at: Int64s
    """int64 [n]: when they are born, if their authors do not lose heart before; commissioned ones always are."""
    authors: Int64s
    """int64 [n]."""
    topics: Float32s
    """float32 [n, topics]: weights that sum to 1."""
    styles: Float32s
    """float32 [n, STYLES]: the author's manner, and a little of the item's own."""
    appeal: Float32s
    """float32 [n]: probits from quality and length, the same for everybody."""
    durations: Float32s
    """float32 [n]: whole seconds."""

    def __len__(self) -> int:
        return len(self.ids)

    def followed_by(self, others: Items) -> Items:
        """These and others, in that order."""
        return Items(
            ids=self.ids + others.ids,
            bodies=self.bodies + others.bodies,
            created_at=np.append(self.created_at, others.created_at),
            authors=np.append(self.authors, others.authors),
            topics=np.append(self.topics, others.topics, axis=0),
            styles=np.append(self.styles, others.styles, axis=0),
            appeal=np.append(self.appeal, others.appeal),
            durations=np.append(self.durations, others.durations),
        )


def make_items(config: WorldConfig, authors: Authors, generator: np.random.Generator) -> Items:
    """All that the authors plan from the week before a world starts until it ends, in order of birth."""
    births = np.concatenate(
        [
            config.start - generator.integers(0, 7 * DAY, size=config.backlog),
            config.start + generator.integers(0, config.days * DAY, size=config.births_per_day * config.days),
        ]
    )
    births.sort()
    diligence = authors.diligence.astype(np.float64)
    makers = generator.choice(len(authors), size=len(births), p=diligence / diligence.sum())
    return draw_items(config, authors, makers.astype(np.int64), births.astype(np.int64), 0, generator)


def draw_items(
    config: WorldConfig,
    authors: Authors,
    makers: Int64s,  # int64 [n]: authors
    births: Int64s,  # int64 [n]: UTC milliseconds
    first_number: int,
    generator: np.random.Generator,
) -> Items:
    """What the makers publish at their births; `first_number` is that of the first id."""
    n, n_topics = len(births), len(TOPICS)
    first = authors.focus[makers, (generator.random(n) < 0.2).astype(np.intp)]
    second = generator.integers(0, n_topics, size=n)
    share = np.where(generator.random(n) < 0.5, generator.uniform(0.15, 0.45, size=n), 0.0)
    topics = np.zeros((n, n_topics), dtype=np.float32)
    np.add.at(topics, (np.arange(n), first), 1 - share)
    np.add.at(topics, (np.arange(n), second), share)

    lengths = np.exp(generator.normal(authors.lengths[makers], 0.35))
    durations = lengths.clip(SHORTEST, LONGEST).round().astype(np.float32)
    quality = authors.quality[makers] + generator.normal(0, config.quality * np.sqrt(0.5), size=n)
    appeal = quality - config.length * np.log2(durations / TYPICAL_DURATION)
    styles = authors.styles[makers] + generator.normal(0, OWN_STYLE, size=(n, STYLES))

    shows_second = (share >= MIXED_FROM) & (first != second)
    words = generator.integers(0, 1 << 16, size=(n, 4))
    bodies = tuple(
        _body(
            int(births[i]),
            authors.ids[makers[i]],
            float(durations[i]),
            int(first[i]),
            int(second[i]) if mixed else None,
            words[i],
        )
        for i, mixed in enumerate(shows_second)
    )
    return Items(
        ids=tuple(f"video-{first_number + i:05d}" for i in range(n)),
        bodies=bodies,
        created_at=births,
        authors=makers,
        topics=topics,
        styles=styles.astype(np.float32),
        appeal=appeal.astype(np.float32),
        durations=durations,
    )


def _body(
    created_at: int, author: str, duration: float, first: int, second: int | None, words: npt.NDArray[np.int64]
) -> Item:
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
        author_id=author,
        created_at=created_at,
        categories=(topic.name,),
        tags=tuple(tags),
        duration=duration,
        attributes={"mood": MOODS[words[3] % len(MOODS)]},
    )
