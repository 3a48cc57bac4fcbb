"""A state on disk: everything that folding the log up to a place has made of it.

One NumPy archive, in which every array has a checksum. Ordinals belong to a process, so what they point to is stored
by key, and the catalog is one array of bytes among the others.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.errors import SnapshotError
from feedmill.domain.ids import UInt64s
from feedmill.domain.records import Item, User
from feedmill.stream.files import storage_errors
from feedmill.stream.state.rows import Int32s
from feedmill.stream.state.state import State

FILE = "state.npz"

_COUNTERS = ("keys", "times", "states")

_decode_item = msgspec.msgpack.Decoder(Item).decode
_decode_user = msgspec.msgpack.Decoder(User).decode


class _Catalog(msgspec.Struct, array_like=True):
    watermark: int
    rows_folded: int
    items: list[tuple[str, bytes | None]]
    users: list[tuple[str, bytes | None]]
    relations: dict[str, dict[str, list[str]]]


def save_state(state: State, folder: Path) -> None:
    """Write the state to a file in `folder`. Raises StorageError when the disk refuses."""
    keys, native = state.catalog.items.keys, state.native
    arrays: dict[str, npt.NDArray[Any]] = {"catalog": np.frombuffer(_encode_catalog(state), dtype=np.uint8)}
    for name, dumped in (("counters", native.dump_counters()), ("popularity", native.dump_popularity())):
        arrays |= {f"{name}_{part}": dumped[index] for index, part in enumerate(_COUNTERS)}
    ends, history_items, weights, times = native.dump_histories()
    arrays |= {"history_ends": ends, "history_items": keys[history_items]}
    arrays |= {"history_weights": weights, "history_times": times}
    ends, partners, weights = native.dump_partners()
    arrays |= {"partner_ends": ends, "partners": keys[partners], "partner_weights": weights}
    arrays |= dict(zip(("seen_pairs", "seen_views", "seen_hidden"), native.dump_seen(), strict=True))
    everything = np.arange(len(keys), dtype=np.int32)
    arrays |= {"impressions": native.impressions(everything), "positives": native.positives(everything)}
    with storage_errors(folder):
        np.savez(folder / FILE, allow_pickle=False, **arrays)


def load_state(state: State, folder: Path) -> None:
    """Make a new state what `save_state` wrote. Raises SnapshotError when the file is missing or damaged."""
    try:
        with (folder / FILE).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        _fill(state, arrays)
    except (
        OSError, EOFError, MemoryError, ValueError, TypeError, LookupError, NotImplementedError, RuntimeError,
        zipfile.BadZipFile, msgspec.MsgspecError,
    ) as error:  # fmt: skip
        raise SnapshotError(f"{folder / FILE}: cannot be read ({error}); remove it to fold the log again") from None


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


def _fill(state: State, arrays: dict[str, npt.NDArray[Any]]) -> None:
    stored = msgspec.msgpack.decode(arrays["catalog"].tobytes(), type=_Catalog)
    state.watermark, state.rows_folded = stored.watermark, stored.rows_folded
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
    native, keys = state.native, state.catalog.items.keys
    native.load_counters(*(arrays[f"counters_{part}"] for part in _COUNTERS))
    native.load_popularity(*(arrays[f"popularity_{part}"] for part in _COUNTERS))
    history_items = _ordinals(keys, arrays["history_items"])
    native.load_histories(arrays["history_ends"], history_items, arrays["history_weights"], arrays["history_times"])
    native.load_partners(arrays["partner_ends"], _ordinals(keys, arrays["partners"]), arrays["partner_weights"])
    native.load_seen(arrays["seen_pairs"], arrays["seen_views"], arrays["seen_hidden"])
    native.load_totals(arrays["impressions"], arrays["positives"])


def _ordinals(keys: UInt64s, wanted: UInt64s) -> Int32s:
    if len(wanted) == 0:
        return np.empty(0, dtype=np.int32)
    order = np.argsort(keys, kind="stable")
    found = order[np.searchsorted(keys, wanted, sorter=order)].astype(np.int32)
    if not np.array_equal(keys[found], wanted):
        raise ValueError("an item is missing")
    return found
