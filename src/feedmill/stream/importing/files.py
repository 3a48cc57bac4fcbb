"""Input files: judged by what they hold, opened as bytes, and counted as they are read."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, cast

from feedmill.domain.errors import InvalidFile

Format = Literal["delimited", "json lines", "parquet"]

_SNIFFED = 1 << 16
_BY_SUFFIX: dict[str, Format] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".dat": "delimited",
    ".json": "json lines",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive (or an Excel workbook); unpack it, or save it as CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it, or use gzip"),
    (b"BZh", "compressed with bzip2; unpack it, or use gzip"),
    (b"\xfd7zXZ\x00", "compressed with xz; unpack it, or use gzip"),
    (b"SQLite format 3\x00", "an SQLite database; export a table of it as CSV"),
    (b"%PDF", "a PDF document"),
    (b"\xff\xfe", "text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it as UTF-8"),
)


class InputFile:
    """A file to import. Raises InvalidFile where it is missing, empty, a directory, or not what its name says."""

    def __init__(self, path: Path, expected: Format | None = None) -> None:
        """`expected` is what the file has to be; where it is None, its name and its content must agree."""
        self.path = path
        if path.is_dir():
            raise InvalidFile(f"{path}: a directory; name a file in it")
        if not path.exists():
            raise InvalidFile(f"{path}: no such file")
        with self._errors():
            self.size = path.stat().st_size
            with path.open("rb") as file:
                self._gzip = file.read(2) == b"\x1f\x8b"
        if self.size == 0:
            raise InvalidFile(f"{path}: empty")
        if path.suffix.lower() == ".gz" and not self._gzip:
            raise InvalidFile(f"{path}: its name says gzip, but it is not compressed; name it without .gz")
        self._raw: IO[bytes] | None = None
        self._finished = 0
        self.format = self._judge(expected)

    @property
    def bytes_read(self) -> int:
        """Bytes of the file as it lies on disk."""
        if self._raw is None or self._raw.closed:
            return self._finished
        return self._raw.tell()

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The bytes in it, decompressed. Damage that shows while reading raises InvalidFile from the with block."""
        with self._errors(), self.path.open("rb") as raw:
            self._raw = raw
            try:
                if self._gzip:
                    with gzip.GzipFile(fileobj=raw) as unpacked:
                        yield cast(IO[bytes], unpacked)
                else:
                    yield raw
            finally:
                self._finished = raw.tell()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidFile(f"{self.path}: damaged or cut short ({error}); fetch it again") from None
        except OSError as error:
            raise InvalidFile(f"{self.path}: cannot be read ({error.strerror or error})") from None

    def _judge(self, expected: Format | None) -> Format:
        with self.open() as stream:
            start = stream.read(_SNIFFED)
        if not start:
            raise InvalidFile(f"{self.path}: empty once it is unpacked")
        for magic, what in _FOREIGN:
            if start.startswith(magic):
                raise InvalidFile(f"{self.path}: {what}")
        content = _content(start)
        if content is None:
            raise InvalidFile(f"{self.path}: binary; Feedmill reads CSV, JSON Lines and Parquet, each also in gzip")
        suffixes = [suffix.lower() for suffix in self.path.suffixes if suffix.lower() != ".gz"]
        claimed = expected or (_BY_SUFFIX.get(suffixes[-1]) if suffixes else None)
        if claimed == "delimited" and content == "json array":
            content = "delimited"
        if content == "json array":
            raise InvalidFile(f"{self.path}: one JSON array; write one object a line (jq -c '.[]' does)")
        if claimed is not None and claimed != content:
            raise InvalidFile(
                f"{self.path}: is {_name(content)} by its content, not {_name(claimed)}; rename or mend it"
            )
        if content == "parquet" and self._gzip:
            raise InvalidFile(f"{self.path}: Parquet inside gzip; unpack it (Parquet is compressed by itself)")
        return content


def _content(start: bytes) -> Format | Literal["json array"] | None:
    if start.startswith(b"PAR1"):
        return "parquet"
    if b"\0" in start[:1024] or _control_characters(start) > 0.05:
        return None
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return "json lines"
    return "json array" if text.startswith(b"[") else "delimited"


def _control_characters(start: bytes) -> float:
    """The share of bytes that no text has."""
    return sum(start.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13, 27)) / len(start)


def _name(content: Format) -> str:
    return {"delimited": "delimited text (CSV)", "json lines": "JSON Lines", "parquet": "Parquet"}[content]
