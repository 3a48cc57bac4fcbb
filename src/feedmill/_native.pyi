"""Native code: arrays in, arrays out."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

# The log's keys (native/key_filter.h). Keys are uint64 and never 0; positions are int64.

class KeyMap:
    """Keys to positions, with repeats, in memory: 32 to 64 bytes a key. One writer; `find` takes no lock."""

    def __init__(self, expected: int) -> None: ...
    def __len__(self) -> int: ...
    def add(self, keys: npt.NDArray[np.uint64], positions: npt.NDArray[np.int64]) -> None:
        """Keys that are 0 are left out."""
    def find(self, keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Each meeting of an asked key with an added one: the index into `keys`, and the position."""
    def sorted(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """All keys in ascending order, equal ones by position. Runs without the interpreter's lock."""

def key_filter_blocks(keys: int) -> int:
    """Blocks (of 8 uint32) of a filter for so many keys: 16 bits a key."""

def fill_key_filter(keys: npt.NDArray[np.uint64], filter: npt.NDArray[np.uint32]) -> None:
    """Set the bits of `keys` in a filter, uint32 [blocks, 8], that was zero."""

def find_keys(
    filter: npt.NDArray[np.uint32],
    keys: npt.NDArray[np.uint64],
    positions: npt.NDArray[np.int64],
    probes: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where `probes` stand among sorted `keys`: indices into `probes`, and positions. The filter spares the search."""

def merge_keys(
    parts: Sequence[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]],
    keys: npt.NDArray[np.uint64],
    positions: npt.NDArray[np.int64],
) -> None:
    """Merge sorted parts into `keys` and `positions`. Runs without the interpreter's lock."""

# Neighbours (native/cosine.h).

def nearest_sets(
    bounds: npt.NDArray[np.int64],
    members: npt.NDArray[np.int32],
    holder_bounds: npt.NDArray[np.int64],
    holders: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.float32],
    other_lengths: npt.NDArray[np.float32],
    count: int,
    shrinkage: float,
    itself: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Of each set the nearest others by shrunk cosine, as bounds, sets in ascending order, and cosines.

    A set i has the members from bounds[i] to bounds[i + 1]; `holders` are the others that hold each member, in the same
    form. Lengths are the roots of the sizes. `itself` is the other that is no neighbour of set 0, the next one of set 1
    and so on; -1: all may be. ValueError where an array does not fit. Runs without the interpreter's lock."""

# The embedding table (native/table.h). ValueError where an argument makes no sense; nothing has changed then.

TableSlot = tuple[int, list[tuple[int, int, list[float], float, float, float]], int, float, int | None]
"""Number; by segment the width, the number of the optimizer, its four parameters, initial scale, l2 and clip;
admission, its probability; time to live in seconds."""

class Table:
    """Rows by feature id. Arrays are contiguous; every method but `dimension_of` releases the interpreter's lock."""

    def __init__(self, seed: int, slots: list[TableSlot], waiting: int, storage: int, kernel: str) -> None:
        """`waiting`: ids without a row that are counted, at least.

        `storage` of vectors: 0 float32, 1 bfloat16, 2 int8; with the latter two neither `update` nor `write`.

        `kernel`: how buckets are searched: portable, avx2, avx512, or auto for the best that there is."""
    def __len__(self) -> int: ...
    @property
    def version(self) -> int: ...
    def dimension_of(self, ids: npt.NDArray[np.uint64]) -> int:
        """The dimension of the first id that is not 0; 0 where there is none."""
    def lookup(self, ids: npt.NDArray[np.uint64], out: npt.NDArray[np.float32], threads: int) -> None: ...
    def pooled_lookup(
        self,
        ids: npt.NDArray[np.uint64],
        offsets: npt.NDArray[np.int64],
        mean: bool,
        out: npt.NDArray[np.float32],
        threads: int,
    ) -> None: ...
    def update(
        self,
        ids: npt.NDArray[np.uint64],
        offsets: npt.NDArray[np.int64],
        gradients: npt.NDArray[np.float32],
        mean: bool,
        now: int,
        threads: int,
    ) -> None: ...
    def put(self, ids: npt.NDArray[np.uint64], vectors: npt.NDArray[np.float32], now: int) -> None: ...
    def touched(self, since: int) -> npt.NDArray[np.uint64]: ...
    def expire(self, now: int, most: int) -> int: ...
    def stats(self) -> tuple[int, int, int, int, int, float]:
        """Rows, waiting ids, bytes used, bytes of vectors and states, bytes on huge pages, load of the index."""
    def write(self, file: int, head: bytes, begun: Callable[[], None]) -> None:
        """Write `head` and the state to an open file descriptor, and call `begun` when no change that begins from then
        on is in it any more. Raises OSError, and what `begun` raises."""
    def read(self, file: int, head_bytes: int) -> None:
        """Read what `write` wrote, from the beginning of the file. Raises OSError, and ValueError where damaged."""

# The fold of events into state (native/fold.h). ValueError for ordinals that were never set and for columns that do not
# fit each other; TypeError for columns of another type. Readers run beside one writer, without the interpreter's lock.

SHOWN: int
"""The item was shown: counts as an impression."""
HIDES: int
"""The user does not want to see it again."""
SHOWN_IF_UNSEEN: int
"""Counts as an impression when none is known of this user and item."""
FEEDBACK: int
DRAWN: int
"""The row carries outcomes."""

class View:
    """Which slots a model reads, and whether it reads the dense columns."""

    def __init__(self, slots: Sequence[tuple[str, int, list[int]]], dense: bool) -> None:
        """Of each slot: its kind (`components`, `user_bag`, `item_bag`, `age`, `history`); its number; what it reads.

        That is the components whose combination is the value, or the one bag; nothing for age and history.
        """

_FeatureArrays = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.float32]]
_Counters = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.float32]]

class Fold:
    """State, and the features that it emits."""

    def __init__(
        self,
        *,
        item_components: int,
        context_columns: int,
        binary: Sequence[bool],
        half_lives: Sequence[float],
        groups: Sequence[Sequence[int]],
        smoothing: float,
        history_length: int,
        history_features: int,
        affinity: int = 0,
        popularity_half_life: float = 86_400_000.0,
    ) -> None:
        """Half-lives in milliseconds, 0 for no decay; `groups` names components by index."""
    @property
    def dense_columns(self) -> int: ...
    @property
    def users(self) -> int: ...
    @property
    def items(self) -> int: ...
    def set_user(
        self,
        ordinal: int,
        components: npt.NDArray[np.uint64],
        bag_ids: npt.NDArray[np.uint64],
        bag_ends: npt.NDArray[np.uint32],
        /,
    ) -> None: ...
    def set_item(
        self,
        ordinal: int,
        components: npt.NDArray[np.uint64],
        bag_ids: npt.NDArray[np.uint64],
        bag_ends: npt.NDArray[np.uint32],
        created_at: int,
        /,
    ) -> None: ...
    def run(
        self,
        users: npt.NDArray[np.int32],
        items: npt.NDArray[np.int32],
        times: npt.NDArray[np.int64],
        context: npt.NDArray[np.uint64],
        flags: npt.NDArray[np.uint8],
        outcomes: npt.NDArray[np.float32],
        weights: npt.NDArray[np.float32],
        views: list[View],
        emit: npt.NDArray[np.uint8],
        /,
    ) -> list[_FeatureArrays]:
        """Row after row: emit the features that `emit`, uint8 [n, views], asks for, then apply the row."""
    def read(
        self,
        view: View,
        users: npt.NDArray[np.int32],
        items: npt.NDArray[np.int32],
        times: npt.NDArray[np.int64],
        context: npt.NDArray[np.uint64],
        /,
    ) -> _FeatureArrays:
        """The features of rows; applies nothing."""
    def views(self, user: int, items: npt.NDArray[np.int32], /) -> npt.NDArray[np.uint16]: ...
    def hidden(self, user: int, items: npt.NDArray[np.int32], /) -> npt.NDArray[np.uint8]: ...
    def impressions(self, items: npt.NDArray[np.int32], /) -> npt.NDArray[np.uint32]: ...
    def positives(self, items: npt.NDArray[np.int32], /) -> npt.NDArray[np.uint32]: ...
    def history(self, user: int, /) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Items, weights and times, newest first; nothing for -1."""
    def partners(self, item: int, /) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]: ...
    def popularity(self, now: int, /) -> npt.NDArray[np.float32]: ...
    def dump_counters(self) -> _Counters: ...
    def load_counters(
        self, keys: npt.NDArray[np.uint64], times: npt.NDArray[np.int64], states: npt.NDArray[np.float32], /
    ) -> None: ...
    def dump_popularity(self) -> _Counters: ...
    def load_popularity(
        self, keys: npt.NDArray[np.uint64], times: npt.NDArray[np.int64], states: npt.NDArray[np.float32], /
    ) -> None: ...
    def dump_histories(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int64]]: ...
    def load_histories(
        self,
        ends: npt.NDArray[np.int64],
        items: npt.NDArray[np.int32],
        weights: npt.NDArray[np.float32],
        times: npt.NDArray[np.int64],
        /,
    ) -> None: ...
    def dump_partners(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]]: ...
    def load_partners(
        self, ends: npt.NDArray[np.int64], partners: npt.NDArray[np.int32], weights: npt.NDArray[np.float32], /
    ) -> None: ...
    def dump_seen(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16], npt.NDArray[np.uint8]]: ...
    def load_seen(
        self, pairs: npt.NDArray[np.uint64], views: npt.NDArray[np.uint16], hidden: npt.NDArray[np.uint8], /
    ) -> None: ...
    def load_totals(self, impressions: npt.NDArray[np.uint32], positives: npt.NDArray[np.uint32], /) -> None: ...
