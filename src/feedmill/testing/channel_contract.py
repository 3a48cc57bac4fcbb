"""What every channel of parameter deltas must do. A subclass of `ChannelContract` says how to make one.

class TestMyChannel(ChannelContract):
    def make(self, folder: Path) -> Channel:
        return MyChannel(folder)
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feedmill.domain.errors import SnapshotError
from feedmill.learn.parameters import Rows
from feedmill.learn.sync.protocol import Channel, Delta, Head, Header
from feedmill.learn.table.storage import Storage

HEADER = Header(
    epoch=3, sequence=7, config="c0ffee", registry=2**64 - 1, base=10, since=12, step=15, position=400,
    received=1_700_000_000_000, published_at=1_700_000_000_100,
)  # fmt: skip
HEAD = Head(
    epoch=3, sequence=7, config="c0ffee", registry=2**64 - 1, step=15, position=400, at=1_700_000_000_000
)  # fmt: skip


def delta(sequence: int = 7, epoch: int = 3, dense: bytes | None = b"dense") -> Delta:
    """Two rows of three columns and one of one, the vectors beginning with the number of the delta."""
    wide = Rows(np.array([5, 2**64 - 1], np.uint64), np.array([[sequence, 1.5, -0.0], [3e-45, 4, 5]], np.float32))
    narrow = Rows(np.array([9], np.uint64), np.array([[sequence]], np.float32))
    return Delta(msgspec.structs.replace(HEADER, epoch=epoch, sequence=sequence), {3: wide, 1: narrow}, dense)


def assert_equal(one: Delta, other: Delta) -> None:
    """Equal bit for bit."""
    assert (one.header, one.dense) == (other.header, other.dense)
    assert one.rows.keys() == other.rows.keys()
    for dimension, rows in one.rows.items():
        ids, vectors = other.rows[dimension]
        assert (rows.ids.dtype, rows.vectors.dtype) == (ids.dtype, vectors.dtype)
        assert (rows.ids.shape, rows.vectors.shape) == (ids.shape, vectors.shape)
        assert (rows.ids.tobytes(), rows.vectors.tobytes()) == (ids.tobytes(), vectors.tobytes())


class ChannelContract:
    """The tests of the protocol `Channel`."""

    def make(self, folder: Path) -> Channel:
        """A new, empty channel; `folder` is its own, and need not exist yet."""
        raise NotImplementedError

    @pytest.fixture
    def channel(self, tmp_path: Path) -> Channel:
        return self.make(tmp_path / "channel")

    def test_a_new_channel_is_empty(self, channel: Channel) -> None:
        assert channel.head() is None
        assert channel.kept() == []

    @pytest.mark.parametrize("dense", [None, b"", b"dense"])
    def test_a_delta_is_read_as_it_was_published(self, channel: Channel, dense: bytes | None) -> None:
        channel.publish(delta(dense=dense))
        assert_equal(channel.read(3, 7), delta(dense=dense))
        assert_equal(channel.read(3, 7), delta(dense=dense))
        assert channel.header(3, 7) == HEADER

    @pytest.mark.parametrize(("storage", "share"), [("bfloat16", 2.0**-8), ("int8", 0.5 / 127 * (1 + 2.0**-6))])
    def test_vectors_are_read_as_the_header_has_them_rounded(
        self, channel: Channel, storage: Storage, share: float
    ) -> None:
        rng = np.random.default_rng(0)
        ids = np.sort(rng.integers(1, 2**64, 500, dtype=np.uint64))
        sizes = 10.0 ** rng.uniform(-30, 30, size=(500, 1))
        vectors = (rng.uniform(-1, 1, size=(500, 8)) * sizes).astype(np.float32)
        largest = np.finfo(np.float32).max
        vectors[:3] = 0
        vectors[1] = largest
        vectors[2, :2] = -largest, 1
        header = msgspec.structs.replace(HEADER, storage=storage)
        channel.publish(Delta(header, {8: Rows(ids, vectors)}, None))
        read = channel.read(3, 7)
        assert read.header == channel.header(3, 7) == header
        assert read.rows[8].ids.tobytes() == ids.tobytes()
        assert np.isfinite(read.rows[8].vectors).all()
        size = np.abs(vectors) if storage == "bfloat16" else np.abs(vectors).max(axis=1, keepdims=True)
        # What is too large for either is the largest number that they have, within a 100th.
        assert (np.abs(read.rows[8].vectors - vectors)[3:] <= share * size[3:]).all()
        assert (np.abs(read.rows[8].vectors - vectors)[:3] <= 0.01 * size[:3]).all()

    def test_a_delta_may_be_empty(self, channel: Channel) -> None:
        empty = Delta(HEADER, {}, None)
        channel.publish(empty)
        assert_equal(channel.read(3, 7), empty)

    def test_what_is_published_does_not_change_with_the_arrays_it_was_made_of(self, channel: Channel) -> None:
        published = delta()
        channel.publish(published)
        published.rows[1].vectors[:] = 0
        assert_equal(channel.read(3, 7), delta())

    def test_a_delta_takes_the_place_of_one_with_its_number(self, channel: Channel) -> None:
        channel.publish(delta(dense=None))
        channel.publish(delta())
        assert channel.kept() == [(3, 7)]
        assert_equal(channel.read(3, 7), delta())

    def test_what_was_announced_last_is_the_head(self, channel: Channel) -> None:
        for at in (1, 2, 2, 1_700_000_000_000):
            head = msgspec.structs.replace(HEAD, at=at)
            channel.announce(head)
            assert channel.head() == head
            assert channel.head() == head

    def test_deltas_are_kept_in_order_until_they_are_removed(self, channel: Channel) -> None:
        for epoch, sequence in ((2, 11), (3, 2), (3, 1), (2, 9)):
            channel.publish(delta(sequence, epoch))
        assert channel.kept() == [(2, 9), (2, 11), (3, 1), (3, 2)]
        channel.remove(3, 1)
        channel.remove(3, 1)
        assert channel.kept() == [(2, 9), (2, 11), (3, 2)]
        assert_equal(channel.read(2, 11), delta(11, 2))

    def test_a_delta_that_is_not_there_is_refused(self, channel: Channel) -> None:
        channel.publish(delta())
        channel.remove(3, 7)
        for epoch, sequence in ((3, 7), (3, 8), (4, 7)):
            with pytest.raises(SnapshotError, match=str(sequence)):
                channel.read(epoch, sequence)
            with pytest.raises(SnapshotError, match=str(sequence)):
                channel.header(epoch, sequence)
