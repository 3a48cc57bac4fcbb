"""More than memory holds is sorted, and equal keys keep their order."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.errors import StorageError
from feedmill.stream.importing.sorting import ExternalSort


@pytest.mark.parametrize("chunk_rows", [1, 3, 7, 100, 10_000])
def test_payloads_come_out_by_key_and_ties_in_the_order_they_came(chunk_rows: int) -> None:
    keys = np.random.default_rng(1).integers(-5, 6, 1_000).tolist()
    with closing(ExternalSort(chunk_rows)) as sort:
        for at, key in enumerate(keys):
            sort.add(key, f"{key}:{at}".encode())
        found = [payload.decode() for payload in sort.drain()]
    assert found == [f"{keys[at]}:{at}" for at in sorted(range(1_000), key=lambda at: keys[at])]


def test_an_empty_sort_gives_nothing() -> None:
    assert list(ExternalSort().drain()) == []


def test_the_peak_of_memory_is_a_chunk_and_not_the_whole() -> None:
    tracemalloc.start()
    with closing(ExternalSort(chunk_rows=500)) as sort:
        for at in range(20_000):
            sort.add(-at, b"%01000d" % at)
        out = sum(1 for _ in sort.drain())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert out == 20_000
    # 20 MB went through, half a megabyte a chunk; reading the 40 runs back takes a buffer of 256 KiB each.
    assert peak < 13_000_000


def test_a_place_for_runs_that_does_not_exist_is_a_storage_error(tmp_path: Path) -> None:
    with closing(ExternalSort(1, tmp_path / "nowhere")) as sort, pytest.raises(StorageError, match="nowhere"):
        sort.add(1, b"x")


def test_runs_leave_no_files_behind(tmp_path: Path) -> None:
    with closing(ExternalSort(2, tmp_path)) as sort:
        for at in range(10):
            sort.add(at, b"x")
        assert list(tmp_path.iterdir()) == []
