"""Features as bytes: of a page that was ranked by them, or of what a snapshot holds.

What is the same in all rows stands once: on a page, all that is said of the user and of the request. The bytes are a
MessagePack array of

- the number of rows n;
- for each of the S slots and for each of the D dense columns, a byte that is 1 where it is the same in all rows;
- the ids: the bags that are the same, then those of each row that are not, in the order of the slots (8 bytes each);
- the length of each of these bags (1 byte each, or 4 where one is longer than 255);
- the dense columns: those that are the same, then those of each row that are not (4 bytes each).

All numbers are little-endian.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Features
from feedmill.domain.errors import InvalidFile

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(tuple[int, bytes, bytes, bytes, bytes, bytes]).decode

_Bools = npt.NDArray[np.bool_]
_Ints = npt.NDArray[np.int64]
_Value = TypeVar("_Value", bound=np.generic)


def pack(features: Features) -> bytes:
    """Features as bytes; `unpack` gives the same bits again. About 70 us for a page of 20.

    Size: about 20 bytes, S + D, and 9 bytes an id and 4 a dense value, each counted once where all rows have it.
    """
    n = len(features)
    lengths = np.diff(features.offsets).reshape(n, -1) if n else np.zeros((0, 0), dtype=np.int64)
    same_bags, same_dense = _same_bags(features, lengths), _same_columns(features.dense)
    bags = np.arange(lengths.size).reshape(lengths.shape)
    order = np.concatenate([bags[:1, same_bags].ravel(), bags[:, ~same_bags].ravel()])
    stored = lengths.ravel()[order]
    ids = features.ids[_spread(features.offsets[order], stored)]
    dense = np.concatenate([features.dense[:1, same_dense].ravel(), features.dense[:, ~same_dense].ravel()])
    width = "<u1" if stored.max(initial=0) < 256 else "<u4"
    parts = same_bags, same_dense, ids.astype("<u8"), stored.astype(width), dense.astype("<f4")
    return _encode((n, *(part.tobytes() for part in parts)))


def unpack(packed: bytes, rows: int) -> Features:
    """What `pack` wrote of so many rows. Raises InvalidFile when it is something else.

    Whether the rows fit a schema is for `Schema.fits` to say.
    """
    try:
        n, *parts = _decode(packed)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InvalidFile(f"features that cannot be read ({error})") from None
    if n != rows:
        raise InvalidFile(f"features of {n} rows, where there should be {rows}")
    same_bags, same_dense = _flags(parts[0]), _flags(parts[1])
    try:
        ids = np.frombuffer(parts[2], "<u8")
        lengths = _read_lengths(parts[3], _stored(n, same_bags))
        dense = np.frombuffer(parts[4], "<f4")
    except ValueError as error:
        raise InvalidFile(f"features that cannot be read ({error})") from None
    if lengths.sum() != len(ids) or len(dense) != _stored(n, same_dense):
        raise InvalidFile("features whose rows and bags do not end with their ids")
    of_bag = _laid_out(np.arange(len(lengths)), n, same_bags).ravel()
    starts = np.cumsum(lengths) - lengths
    offsets = np.zeros(len(of_bag) + 1, dtype=np.int64)
    np.cumsum(lengths[of_bag], out=offsets[1:])
    source = _spread(starts[of_bag], lengths[of_bag])
    return Features(ids[source].astype(np.uint64), offsets, _laid_out(dense.astype(np.float32), n, same_dense))


def _same_bags(features: Features, lengths: _Ints) -> _Bools:
    """bool [S]: which bags are the same in all rows."""
    same = np.asarray((lengths == lengths[:1]).all(axis=0) & (len(lengths) > 0))
    columns = np.flatnonzero(same)
    bags = (np.arange(len(lengths))[:, None] * lengths.shape[1] + columns).ravel()
    ids = features.ids[_spread(features.offsets[bags], lengths.ravel()[bags])]
    widths = lengths[:1, columns].ravel()
    differs = (ids.reshape(len(lengths), widths.sum()) != ids[: widths.sum()]).any(axis=0)
    same[np.repeat(columns, widths)[differs]] = False
    return same


def _same_columns(dense: npt.NDArray[np.float32]) -> _Bools:
    """bool [D]: which columns have the same bits in all rows."""
    bits = np.ascontiguousarray(dense).view(np.uint32)
    return np.asarray((bits == bits[:1]).all(axis=0) & (len(bits) > 0))


def _spread(starts: _Ints, lengths: _Ints) -> _Ints:
    """The indices starts[b], starts[b] + 1, ... of bag after bag."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - ends + lengths, lengths)


def _flags(part: bytes) -> _Bools:
    return np.asarray(np.frombuffer(part, np.uint8) != 0)


def _stored(n: int, same: _Bools) -> int:
    """How many values stand for n rows."""
    shared = int(np.count_nonzero(same))
    return shared + n * (len(same) - shared)


def _read_lengths(part: bytes, count: int) -> _Ints:
    lengths = np.frombuffer(part, "<u1" if len(part) == count else "<u4").astype(np.int64)
    if len(lengths) != count:
        raise ValueError(f"{len(lengths)} bags, where there should be {count}")
    return lengths


def _laid_out(values: npt.NDArray[_Value], n: int, same: _Bools) -> npt.NDArray[_Value]:
    """[n, columns]: the shared values in every row, the others in their own."""
    shared = int(np.count_nonzero(same))
    table = np.empty((n, len(same)), dtype=values.dtype)
    table[:, same] = values[:shared]
    table[:, ~same] = values[shared:].reshape(n, len(same) - shared)
    return table
