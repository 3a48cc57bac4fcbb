"""A log in which somebody turns the clicks round for a while, and a learner so quick that this spoils it at once."""

from __future__ import annotations

import msgspec
import numpy as np

from feedmill.domain.records import Record
from feedmill.learn.guards.config import GuardConfig
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.training.config import LearningConfig
from feedmill.testing.small_log import small_config, taste_log

GUARD = GuardConfig(window=250, baseline=8)
GOOD, BAD, AFTER = 8_000, 700, 2_500
"""Impressions before, while and after the clicks are turned round, each an example."""


def poisoned_log(seed: int = 0) -> list[Record]:
    """Users click on what is of their topic, except in the middle: there they click on all else."""
    tastes = taste_log(np.random.default_rng(seed), GOOD + BAD + AFTER)
    records = list(tastes.records)
    first = first_bad(records)
    for at in range(first, first + BAD):
        record = records[at]
        loves = tastes.topic_of_user[record.subject] == tastes.topic_of_item[record.object]
        records[at] = msgspec.structs.replace(record, outcomes={} if loves else {"click": 1.0, "view": 20.0})
    return records


def first_bad(records: list[Record]) -> int:
    """The position of the first click that is turned round."""
    return len(records) - BAD - AFTER


def quick_learner(**training: int) -> LearningConfig:
    """Rates so high that a thousand examples change everything."""
    ranker = RankerConfig(
        dimension=8, hidden=(16,), linear_learning_rate=0.3, vector_learning_rate=0.3, dense_learning_rate=0.01
    )
    return msgspec.structs.replace(small_config(**training), ranker=ranker)
