"""Features as bytes: of one row for the impression that was ranked by them, of many for a snapshot."""

from __future__ import annotations

import msgspec
import numpy as np

from feedmill.domain.batches import Features
from feedmill.domain.errors import InvalidFile

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(tuple[int, bytes, bytes, bytes]).decode


def pack(features: Features, row: int) -> bytes:
    """One row of features as bytes."""
    return pack_rows(features.take(np.array([row])))


def unpack(packed: bytes) -> Features:
    """What `pack` wrote, as features of one row. Raises InvalidFile when it is something else.

    Whether the row fits a schema is for `Schema.fits` to say.
    """
    features = unpack_rows(packed)
    if len(features) != 1:
        raise InvalidFile(f"features of {len(features)} rows, where there should be one")
    return features


def pack_rows(features: Features) -> bytes:
    """Features as bytes: the number of rows, the ids, the length of each bag, the dense columns (little-endian)."""
    lengths = np.diff(features.offsets).astype("<u4")
    ids, dense = features.ids.astype("<u8"), features.dense.astype("<f4")
    return _encode((len(features), ids.tobytes(), lengths.tobytes(), dense.tobytes()))


def unpack_rows(packed: bytes) -> Features:
    """What `pack_rows` wrote. Raises InvalidFile when it is something else."""
    try:
        rows, *parts = _decode(packed)
        ids, lengths, dense = (np.frombuffer(part, dtype) for part, dtype in zip(parts, _DTYPES, strict=True))
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        shaped = dense.astype(np.float32).reshape((rows, -1) if rows > 0 else (0, 0))
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise InvalidFile(f"features that cannot be read ({error})") from None
    if offsets[-1] != len(ids) or len(lengths) % max(rows, 1) or (rows == 0 and len(lengths)):
        raise InvalidFile("features whose rows and bags do not end with their ids")
    return Features(ids.astype(np.uint64), offsets, shaped)


_DTYPES = ("<u8", "<u4", "<f4")
