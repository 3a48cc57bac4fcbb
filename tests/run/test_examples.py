"""The joined examples of a log as a stream of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feedmill.domain.errors import InvalidArgument, InvalidFile
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.training.learner import Learner
from feedmill.run.examples import write_examples
from feedmill.stream.joining.stored import read_examples, read_stream
from feedmill.testing.learner_bytes import parameter_bytes
from feedmill.testing.memory_log import MemoryLog
from feedmill.testing.small_log import OBJECTIVES, SMALL, small_log

SIZE = 700


def new_learner() -> Learner:
    # Two towers learn from likes, which are no part of the stream.
    return Learner(SMALL, SlotRegistry(), learn_retrieval=False)


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.append(small_log(np.random.default_rng(1), SIZE))
    return log


def test_a_ranker_that_learns_the_stream_has_the_parameters_of_the_trainer(log: MemoryLog, tmp_path: Path) -> None:
    online, batch = new_learner(), new_learner()
    for start in range(0, SIZE, 32):
        online.step(log.read(start, 32)[0])
    stream = write_examples(log, new_learner(), tmp_path)
    assert stream is not None
    assert (stream.first, stream.until) == (0, SIZE)
    predictions = [batch.ranker.learn(examples)[0] for examples in read_examples(tmp_path)]
    assert sum(map(len, predictions)) == stream.rows > 100
    assert parameter_bytes(batch) == parameter_bytes(online)


@pytest.mark.parametrize(("first", "until"), [(0, 200), (100, 300), (650, None), (SIZE, None)])
def test_a_range_is_what_a_trainer_learns_that_skips_what_is_before_it(
    log: MemoryLog, tmp_path: Path, first: int, until: int | None
) -> None:
    stream = write_examples(log, new_learner(), tmp_path, first=first, until=until)
    assert stream is not None
    learner = new_learner()
    learner.frozen = True
    position, expected = 0, 0
    while position < (SIZE if until is None else until):
        learner.frozen = position < first
        size = min(32, first - position) if learner.frozen else 32
        step = learner.step(log.read(position, size)[0])
        expected += len(step.examples) if step.learned else 0
        position = min(SIZE, position + size)
    assert (stream.rows, stream.until) == (expected, position)
    assert sum(len(examples) for examples in read_examples(tmp_path)) == expected


def test_the_files_can_be_read_by_anybody(log: MemoryLog, tmp_path: Path) -> None:
    stream = write_examples(log, new_learner(), tmp_path)
    assert stream is not None
    frame = pl.read_parquet(tmp_path / "*.parquet")
    examples = list(read_examples(tmp_path))
    assert len(frame) == stream.rows
    for index, name in enumerate(OBJECTIVES):
        labels = np.concatenate([part.labels[:, index] for part in examples])
        assert frame[f"{name}_label"].to_list() == labels.tolist()
    slots, ids, lengths = stream.slot_numbers, frame["ids"][0].to_list(), frame["lengths"][0].to_list()
    assert [id_ >> 52 for id_ in ids] == np.repeat(slots, lengths).tolist()
    assert len(frame["dense"][0]) == stream.dense_columns


def test_a_new_stream_takes_the_place_of_an_older_one(log: MemoryLog, tmp_path: Path) -> None:
    write_examples(log, new_learner(), tmp_path)
    short = write_examples(log, new_learner(), tmp_path, until=200)
    assert read_stream(tmp_path) == short


def test_a_stream_that_is_not_whole_or_damaged_is_refused(log: MemoryLog, tmp_path: Path) -> None:
    assert write_examples(log, new_learner(), tmp_path, goes_on=lambda position, end: position < 300) is None
    with pytest.raises(InvalidFile, match="no stream of examples"):
        list(read_examples(tmp_path))
    write_examples(log, new_learner(), tmp_path)
    (path,) = tmp_path.glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InvalidFile, match="cannot be read"):
        list(read_examples(tmp_path))
    path.unlink()
    with pytest.raises(InvalidFile, match=r"0 of .* examples are there"):
        list(read_examples(tmp_path))


def test_a_range_beyond_the_log_is_refused(log: MemoryLog, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="the log ends at position 700"):
        write_examples(log, new_learner(), tmp_path, first=SIZE + 1)
