"""What the memory has no room for is on disk, and nothing else is different."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedmill.domain.errors import SnapshotError, StorageError
from feedmill.domain.records import Record
from feedmill.testing.joiner_feed import Feed, act, bytes_of, corrected, heartbeat, marks, page, seen
from feedmill.testing.small_log import SMALL, small_log

ON_DISK = msgspec.structs.replace(SMALL.join, pages=1, impressions=1)
NOTHING, CLICK = [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]


def feed_at(path: Path | None = None) -> Feed:
    return Feed(config=ON_DISK, disk=path)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_the_examples_are_those_of_a_memory_with_room_for_all(seed: int, size: int) -> None:
    records = small_log(np.random.default_rng(seed), 400)
    roomy, on_disk = Feed(), feed_at()
    for start in range(0, len(records), size):
        batch = records[start : start + size]
        assert bytes_of(on_disk.push(*batch)) == bytes_of(roomy.push(*batch))
    assert on_disk.joiner.impressions_dropped == on_disk.joiner.pages_dropped == 0


def test_a_late_action_finds_the_features_of_an_impression_on_disk(tmp_path: Path) -> None:
    feed = feed_at(tmp_path / "disk")
    items = [f"i{number}" for number in range(5)]
    feed.push(page(0, items, feed.logged(items, 0, mark=-9.0)), *(seen(0, item, "r") for item in items), heartbeat(10))
    assert feed.joiner.on_disk == (4, 0)
    examples = feed.push(act(11, "click", "i2", "r"))
    assert marks(examples) == {"i2": -7.0}
    assert examples.labels.tolist() == [NOTHING, CLICK]


def test_what_a_late_action_has_changed_on_disk_is_known_to_the_next_one() -> None:
    feed = feed_at()
    feed.push(*(seen(0, f"i{number}") for number in range(4)), heartbeat(10))
    assert feed.examples(act(11, "click", "i1")) == corrected(NOTHING, CLICK, CLICK, 0, "i1")
    assert feed.examples(act(12, "click", "i1")) == []
    assert feed.examples(act(13, "view", "i1", value=5.0)) == corrected(
        CLICK, [1.0, 0.0, 0.5], [0.0, 0.0, 1.0], 0, "i1"
    )  # fmt: skip


def test_a_page_on_disk_is_opened_by_an_action() -> None:
    feed = feed_at()
    for number in range(3):
        feed.push(page(0, ["i0", "i1"], feed.logged(["i0", "i1"], 0, mark=-9.0 - 10 * number), f"r{number}"))
    assert feed.joiner.on_disk == (0, 2)
    feed.push(act(1, "click", "i1", "r0"))
    assert feed.joiner.waiting == 2
    assert marks(feed.push(heartbeat(20))) == {"i0": -9.0, "i1": -8.0}


def test_an_impression_on_disk_that_is_reported_again_is_the_same() -> None:
    feed = feed_at()
    feed.push(*(seen(0, f"i{number}", "r") for number in range(3)), heartbeat(10))
    assert feed.examples(seen(20, "i0", "r"), heartbeat(40)) == []


def test_what_is_on_disk_is_forgotten_when_its_time_is_over() -> None:
    feed = feed_at()
    feed.push(*(seen(0, f"i{number}") for number in range(3)), heartbeat(69))
    assert feed.joiner.on_disk == (2, 0)
    assert feed.examples(act(70, "click", "i0")) == []
    assert feed.joiner.on_disk == (0, 0)


def test_where_the_memory_has_room_there_is_no_file(tmp_path: Path) -> None:
    feed = Feed(disk=tmp_path / "disk")
    feed.push(*small_log(np.random.default_rng(1), 300))
    feed.joiner.dump()
    assert list(tmp_path.iterdir()) == []


def restarted(records: list[Record], dumped: bytes, path: Path) -> Feed:
    feed = feed_at(path)
    feed.state.fold(records)
    feed.joiner.load(dumped)
    return feed


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=4, max_size=20))
def test_a_joiner_that_crashes_after_a_dump_goes_on_from_it(
    tmp_path_factory: pytest.TempPathFactory, seed: int, parts: list[tuple[int, bool]]
) -> None:
    path = tmp_path_factory.mktemp("disk") / "joined"
    records = small_log(np.random.default_rng(seed), sum(size for size, _ in parts))
    whole, feed = Feed(), feed_at(path)
    dumped, at, start = feed.joiner.dump(), 0, 0
    expected = []
    for size, crashes in parts:
        batch = records[start : start + size]
        start += size
        expected.append((batch, bytes_of(whole.push(*batch))))
        assert bytes_of(feed.push(*batch)) == expected[-1][1]
        if crashes:
            # What was written since is lost or not, as a crash leaves it; the log brings it again.
            feed.joiner.close()
            feed = restarted(records[:at], dumped, path)
            for batch, examples in expected:
                assert bytes_of(feed.push(*batch)) == examples
        else:
            dumped, at = feed.joiner.dump(), start
            expected.clear()


def test_an_older_dump_is_good_as_well_though_later_ones_were_taken(tmp_path: Path) -> None:
    records = small_log(np.random.default_rng(7), 600)
    feed, dumps = feed_at(tmp_path / "disk"), []
    for start in range(0, 600, 100):
        feed.push(*records[start : start + 100])
        dumps.append((start + 100, feed.joiner.dump()))
    feed.joiner.close()
    whole = Feed()
    end, dumped = dumps[-2]
    whole.push(*records[:end])
    older = restarted(records[:end], dumped, tmp_path / "disk")
    assert bytes_of(older.push(*records[end:])) == bytes_of(whole.push(*records[end:]))


def test_a_dump_whose_file_is_lost_is_refused(tmp_path: Path) -> None:
    feed = feed_at(tmp_path / "disk")
    feed.push(*(seen(0, f"i{number}") for number in range(4)), heartbeat(10))
    dumped = feed.joiner.dump()
    with pytest.raises(SnapshotError, match="are not there"):
        restarted([], dumped, tmp_path / "another")


def test_a_damaged_file_is_removed_so_that_the_log_can_make_it_again(tmp_path: Path) -> None:
    records = [*(seen(0, f"i{number}") for number in range(4)), heartbeat(10)]
    feed = feed_at(tmp_path / "disk")
    feed.push(*records)
    dumped = feed.joiner.dump()
    feed.joiner.close()
    (tmp_path / "disk").write_bytes(b"something else" * 100)
    with pytest.raises(SnapshotError, match="damaged"):
        restarted(records, dumped, tmp_path / "disk")
    again = feed_at(tmp_path / "disk")
    again.push(*records)
    assert again.joiner.dump() == dumped


def test_a_file_that_is_no_database_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"something else" * 100)
    feed = feed_at(tmp_path / "disk")
    with pytest.raises(StorageError, match="disk: cannot keep impressions on disk"):
        feed.push(*(seen(0, f"i{number}") for number in range(4)), heartbeat(10))


def test_what_no_dump_needs_any_more_is_deleted(tmp_path: Path) -> None:
    feed = feed_at(tmp_path / "disk")
    sizes = []
    for hour in range(30):
        start = hour * 120
        feed.push(
            *(seen(start, f"i{number % 20}", f"r{hour} {number}") for number in range(200)), heartbeat(start + 10)
        )
        feed.joiner.dump()
        sizes.append((tmp_path / "disk").stat().st_size)
    assert sizes[-1] <= 1.1 * sizes[8]
