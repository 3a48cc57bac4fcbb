"""A state on disk: everything that folding the log up to a place has made of it.

One file of arrays in NumPy's format, one after the other, each filled up to a multiple of 64 bytes, and last the XXH3
of everything before. It is mapped, not read: a state of a gigabyte is there in the time that it takes to build its
indexes. Ordinals belong to a process, so what they point to is stored by key, and the catalog is one array of bytes
among the others.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt
import xxhash

from feedmill.domain.errors import SnapshotError
from feedmill.domain.ids import UInt64s
from feedmill.domain.records import Item, User
from feedmill.stream.files import storage_errors
from feedmill.stream.state.rows import Int32s
from feedmill.stream.state.state import State

FILE = "state.bin"

Arrays = dict[str, npt.NDArray[Any]]

_COUNTERS = ("keys", "times", "states")
_NAMES = (
    "catalog",
    *(f"{of}_{part}" for of in ("counters", "popularity") for part in _COUNTERS),
    "history_ends", "history_items", "history_weights", "history_times",
    "partner_ends", "partners", "partner_weights",
    "seen_pairs", "seen_views", "seen_hidden",
    "impressions", "positives",
)  # fmt: skip
_ALIGNED = 64
_CHECK = struct.Struct("<Q")

_decode_item = msgspec.msgpack.Decoder(Item).decode
_decode_user = msgspec.msgpack.Decoder(User).decode


class _Catalog(msgspec.Struct, array_like=True):
    watermark: int
    rows_folded: int
    items: list[tuple[str, bytes | None]]
    users: list[tuple[str, bytes | None]]
    relations: dict[str, dict[str, list[str]]]


def copy_state(state: State) -> Arrays:
    """All of a state as it is now, as arrays of its own. Cost: 0.1 s a gigabyte."""
    keys, native = state.catalog.items.keys, state.native
    histories, partners = native.dump_histories(), native.dump_partners()
    everything = np.arange(len(keys), dtype=np.int32)
    columns = (
        np.frombuffer(_encode_catalog(state), dtype=np.uint8),
        *native.dump_counters(),
        *native.dump_popularity(),
        histories[0], keys[histories[1]], *histories[2:],
        partners[0], keys[partners[1]], partners[2],
        *native.dump_seen(),
        native.impressions(everything), native.positives(everything),
    )  # fmt: skip
    return dict(zip(_NAMES, columns, strict=True))


def write_state(arrays: Arrays, folder: Path) -> None:
    """Write what `copy_state` gave to a file in `folder`. Raises StorageError when the disk refuses."""
    with storage_errors(folder), (folder / FILE).open("w+b") as file:
        for array in arrays.values():
            np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
            file.write(bytes(-file.tell() % _ALIGNED))
        file.flush()
        file.write(_CHECK.pack(xxhash.xxh3_64_intdigest(_mapped(file))))


def load_state(state: State, folder: Path) -> int:
    """Make a new state what was written, and give its bytes. Raises SnapshotError when the file is missing or damaged.

    Cost: 50 ns for each counter and each pair of user and item, 2 us for each user and item, and what the system takes
    to give the memory.
    """
    try:
        with (folder / FILE).open("rb") as file:
            arrays = _read(file)
            _fill(state, arrays)
            return sum(array.nbytes for array in arrays.values())
    except (OSError, MemoryError, ValueError, TypeError, LookupError, struct.error, msgspec.MsgspecError) as error:
        raise SnapshotError(f"{folder / FILE}: cannot be read ({error}); remove it to fold the log again") from None


def _read(file: BinaryIO) -> Arrays:
    """The arrays of a file: parts of its memory, which is there for as long as they are."""
    memory = _mapped(file)
    content = memory[: -_CHECK.size]
    if _CHECK.unpack(memory[-_CHECK.size :]) != (xxhash.xxh3_64_intdigest(content),):
        raise ValueError("its checksum is wrong")
    arrays: Arrays = {}
    for name in _NAMES:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        size = math.prod(shape) * dtype.itemsize
        arrays[name] = np.frombuffer(content[file.tell() : file.tell() + size], dtype).reshape(shape)
        file.seek(size, os.SEEK_CUR)
        file.seek(-file.tell() % _ALIGNED, os.SEEK_CUR)
    return arrays


def _mapped(file: BinaryIO) -> memoryview:
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _encode_catalog(state: State) -> bytes:
    items, users = state.catalog.items, state.catalog.users
    return msgspec.msgpack.encode(
        _Catalog(
            state.watermark,
            state.rows_folded,
            [(name, items.encoded(ordinal)) for ordinal, name in enumerate(items.ids.names)],
            [(name, users.encoded(ordinal)) for ordinal, name in enumerate(users.ids.names)],
            {
                relation: {subject: sorted(objects) for subject, objects in of.items()}
                for relation, of in state.relations.items()
            },
        )
    )


def _fill(state: State, arrays: Arrays) -> None:
    stored = msgspec.msgpack.decode(arrays["catalog"].tobytes(), type=_Catalog)
    state.watermark, state.rows_folded = stored.watermark, stored.rows_folded
    native = state.native
    with ThreadPoolExecutor() as beside:
        filled = [
            beside.submit(native.load_counters, *(arrays[f"counters_{part}"] for part in _COUNTERS)),
            beside.submit(native.load_seen, arrays["seen_pairs"], arrays["seen_views"], arrays["seen_hidden"]),
        ]
        _fill_catalog(state, stored)
        for one in filled:
            one.result()
    keys = state.catalog.items.keys
    native.load_popularity(*(arrays[f"popularity_{part}"] for part in _COUNTERS))
    history_items = _ordinals(keys, arrays["history_items"])
    native.load_histories(arrays["history_ends"], history_items, arrays["history_weights"], arrays["history_times"])
    native.load_partners(arrays["partner_ends"], _ordinals(keys, arrays["partners"]), arrays["partner_weights"])
    native.load_totals(arrays["impressions"], arrays["positives"])


def _fill_catalog(state: State, stored: _Catalog) -> None:
    for name, encoded in stored.items:
        if encoded is None:
            state.item(name)
        else:
            state.describe_item(name, _decode_item(encoded))
    for name, encoded in stored.users:
        if encoded is None:
            state.user(name)
        else:
            state.describe_user(name, _decode_user(encoded))
    state.relations = {
        relation: {subject: set(objects) for subject, objects in of.items()}
        for relation, of in stored.relations.items()
    }


def _ordinals(keys: UInt64s, wanted: UInt64s) -> Int32s:
    if len(wanted) == 0:
        return np.empty(0, dtype=np.int32)
    order = np.argsort(keys, kind="stable")
    found = order[np.searchsorted(keys, wanted, sorter=order)].astype(np.int32)
    if not np.array_equal(keys[found], wanted):
        raise ValueError("an item is missing")
    return found
