"""Which protocols a log can bear, tried on the log itself."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.measure.evaluation.protocol import EvaluationProtocol

FEW = 100
"""Users; with fewer only large differences can be told from chance."""


class Fitness(msgspec.Struct, frozen=True):
    """Whether a log can bear a protocol."""

    protocol: str
    bears: bool
    users: int
    """Who would be asked for, in the mean of the splits."""
    test: int
    """Interactions that would be asked for, over all splits."""
    why: str
    """In a sentence."""


def fitness(interactions: Interactions, protocols: Sequence[EvaluationProtocol]) -> list[Fitness]:
    """Each protocol, in the order given. Cost: that of its splits."""
    return [_judge(interactions, protocol) for protocol in protocols]


def _judge(interactions: Interactions, protocol: EvaluationProtocol) -> Fitness:
    try:
        splits = list(protocol.splits(interactions))
    except InvalidArgument as error:
        return Fitness(protocol.name, False, 0, 0, f"No: {error}.")
    users = round(sum(len(split.users) for split in splits) / len(splits))
    test = sum(len(split.test) for split in splits)
    if not test:
        return Fitness(protocol.name, False, 0, 0, "No: nothing would be left to ask for.")
    if users < FEW:
        why = f"With care: {users:,} users would be asked for; only large differences can be told from chance."
    elif not protocol.respects_time:
        why = "Yes, to compare models: it does not keep the order of time."
    else:
        why = "Yes."
    return Fitness(protocol.name, True, users, test, why)
