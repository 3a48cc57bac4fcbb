"""Payloads: the bytes that the log keeps of each record."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import msgspec

from feedmill.domain.errors import InvalidRecord, StorageError
from feedmill.domain.records import Record, decode_record, encode_record

MAX_PAYLOAD = 64 << 20

_decode_all = msgspec.msgpack.Decoder(list[Record]).decode
_array32 = struct.Struct(">BI")
_UNENCODABLE = (msgspec.MsgspecError, TypeError, ValueError, OverflowError)
_UNDECODABLE = (msgspec.MsgspecError, UnicodeError)


def encode_payloads(records: Sequence[Record]) -> list[bytes]:
    """The payloads of records.

    Raises InvalidRecord, naming its place among `records`, for one that cannot be encoded or is larger than 64 MiB.
    """
    try:
        payloads = [encode_record(record) for record in records]
        if not payloads or max(map(len, payloads)) <= MAX_PAYLOAD:
            return payloads
    except _UNENCODABLE:
        pass
    return [_encode(record, index) for index, record in enumerate(records)]


def decode_payloads(path: Path, payloads: Sequence[bytes], positions: Sequence[int]) -> list[Record]:
    """The records of payloads that stand at these positions of the log at `path`. About 1 us each.

    Raises StorageError, naming the position, for one that cannot be read.
    """
    try:
        # One call for all is three times as fast as one call for each.
        return _decode_all(_array32.pack(0xDD, len(payloads)) + b"".join(payloads))
    except _UNDECODABLE:
        return [_decode(path, payload, position) for payload, position in zip(payloads, positions, strict=True)]


def _encode(record: Record, index: int) -> bytes:
    try:
        payload = encode_record(record)
    except _UNENCODABLE as error:
        raise InvalidRecord(f"records[{index}]", f"cannot be encoded: {error}") from error
    if len(payload) > MAX_PAYLOAD:
        raise InvalidRecord(f"records[{index}]", f"takes {len(payload)} bytes; at most {MAX_PAYLOAD} are kept")
    return payload


def _decode(path: Path, payload: bytes, position: int) -> Record:
    try:
        return decode_record(payload)
    except _UNDECODABLE as error:
        raise StorageError(
            f"{path}: the record at position {position} cannot be read ({error}); it was written by a newer Feedmill, "
            "or the file is damaged: install the newer one, or restore the log from a backup"
        ) from error
