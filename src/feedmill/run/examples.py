"""Joined examples of a log as a stream of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from feedmill.domain.errors import InvalidArgument
from feedmill.learn.training.learner import Learner
from feedmill.stream.joining.stored import ExampleStream, ExampleWriter
from feedmill.stream.log.protocol import Log
from feedmill.stream.state.state import Emit


def write_examples(
    log: Log,
    learner: Learner,
    folder: Path,
    *,
    first: int = 0,
    until: int | None = None,
    goes_on: Callable[[int, int], bool] = lambda position, end: True,
) -> ExampleStream | None:
    """The examples that a trainer makes of the log, in the same steps: what stands before `first` is only folded.

    `learner` has seen nothing; its parameters are not used. The last step is the first that reaches `until`. `goes_on`
    is told after each the position and the one to reach; where it answers False the stream is not finished, and None
    is returned. Raises InvalidArgument when the log does not reach `first`.
    """
    end = log.end() if until is None else min(until, log.end())
    if first > log.end():
        raise InvalidArgument(f"position {first:,}: the log ends at position {log.end():,}")
    config, schema = learner.config, learner.parameters.ranker_schema
    about = ExampleStream(
        objectives=tuple(config.objectives),
        slots=tuple(slot.name for slot in schema.slots),
        slot_numbers=tuple(slot.number for slot in schema.slots),
        dense_columns=learner.state.native.dense_columns,
        batch=config.training.batch,
        first=first,
        until=first,
        rows=0,
    )
    writer = ExampleWriter(folder, about)
    emit = [Emit(schema.view, "examples")]
    position, step = 0, 0
    while position < max(end, first):
        size = config.training.batch if position >= first else min(config.training.batch, first - position)
        records, following = log.read(position, size)
        examples = learner.joiner.push(records, learner.state.fold(records, emit))
        if position >= first:
            step += 1
            writer.add(step, examples, following)
        position = following
        if not goes_on(position, end):
            return None
    return writer.close()
