"""The features of one row as bytes, for the impression that was ranked by them."""

from __future__ import annotations

import msgspec
import numpy as np

from feedmill.domain.batches import Features
from feedmill.domain.errors import InvalidFile

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(tuple[bytes, bytes, bytes]).decode


def pack(features: Features, row: int) -> bytes:
    """One row of features as bytes: its ids, the length of each bag, its dense columns (little-endian)."""
    one = features.take(np.array([row]))
    lengths = np.diff(one.offsets).astype("<u4")
    return _encode((one.ids.astype("<u8").tobytes(), lengths.tobytes(), one.dense.astype("<f4").tobytes()))


def unpack(packed: bytes) -> Features:
    """What `pack` wrote, as features of one row. Raises InvalidFile when it is something else.

    Whether the row fits a schema is for `Schema.fits` to say.
    """
    try:
        parts = _decode(packed)
        ids, lengths, dense = (np.frombuffer(part, dtype) for part, dtype in zip(parts, _DTYPES, strict=True))
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidFile(f"logged features that cannot be read ({error}); the impression is joined without") from None
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] != len(ids):
        raise InvalidFile("logged features whose bags do not end with their ids; the impression is joined without")
    return Features(ids.astype(np.uint64), offsets, dense.astype(np.float32).reshape(1, -1))


_DTYPES = ("<u8", "<u4", "<f4")
