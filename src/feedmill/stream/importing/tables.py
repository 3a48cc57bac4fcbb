"""One face for delimited text, JSON Lines and Parquet: rows as mappings from column to value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from feedmill.domain.errors import InvalidFile
from feedmill.stream.importing.delimited import DelimitedRows
from feedmill.stream.importing.files import InputFile
from feedmill.stream.importing.lines import Lines

SAMPLE = 1_000
"""Rows that guesses are made from."""
_BATCH = 10_000


class TableRow(NamedTuple):
    """A row, or what is wrong with it."""

    line: int
    """The physical line of a text file, the row of a Parquet file; from 1."""
    values: dict[str, object]
    problem: str


class Table(ABC):
    """A file of rows."""

    def __init__(self, file: InputFile) -> None:
        self.file = file
        self.columns: list[str] = []

    @property
    def bytes_read(self) -> int:
        """How far into the file `rows` has come."""
        return self.file.bytes_read

    @abstractmethod
    def rows(self) -> Iterator[TableRow]:
        """All rows, from the first."""

    @abstractmethod
    def text(self) -> str:
        """The row that `rows` gave last, as it stands in the file or as JSON."""

    def sample(self) -> list[dict[str, object]]:
        """The first rows that can be read."""
        return [row.values for row in islice(self.rows(), SAMPLE) if not row.problem]


def open_table(path: Path) -> Table:
    """The table in a file. Raises InvalidFile where there is none."""
    file = InputFile(path)
    if file.format == "delimited":
        return DelimitedTable(file)
    return JsonLinesTable(file) if file.format == "json lines" else ParquetTable(file)


class DelimitedTable(Table):
    """CSV and its kin. Every value is a string; columns without a name are passed over."""

    def __init__(self, file: InputFile) -> None:
        super().__init__(file)
        with file.open() as stream:
            self._reading = DelimitedRows(stream, str(file.path))
        self.columns = [name for name in self._reading.header if name]

    def rows(self) -> Iterator[TableRow]:
        with self.file.open() as stream:
            self._reading = DelimitedRows(stream, str(self.file.path))
            header = self._reading.header
            for line, cells, problem in self._reading:
                values: dict[str, object] = dict(zip(header, cells, strict=False))
                values.pop("", None)
                yield TableRow(line, values, problem)

    def text(self) -> str:
        return self._reading.text()


class JsonLinesTable(Table):
    """One JSON object a line. Columns are the names that the first rows use; later rows may use others."""

    def __init__(self, file: InputFile) -> None:
        super().__init__(file)
        self._text = ""
        names: dict[str, None] = {}
        for row in self.sample():
            names.update(dict.fromkeys(row))
        if not names:
            raise InvalidFile(f"{file.path}: not one of its first {SAMPLE:,} lines is a JSON object")
        self.columns = list(names)

    def rows(self) -> Iterator[TableRow]:
        with self.file.open() as stream:
            for number, text, problem in Lines(stream):
                if not text.strip():
                    continue
                self._text = text.rstrip("\r\n")
                if problem:
                    yield TableRow(number, {}, problem)
                    continue
                try:
                    values = msgspec.json.decode(text)
                except (msgspec.DecodeError, RecursionError) as error:
                    yield TableRow(number, {}, f"is not JSON: {error}")
                    continue
                if isinstance(values, dict):
                    yield TableRow(number, values, "")
                else:
                    yield TableRow(number, {}, "is not a JSON object")

    def text(self) -> str:
        return self._text


class ParquetTable(Table):
    """Parquet, read in batches."""

    def __init__(self, file: InputFile) -> None:
        super().__init__(file)
        self._values: dict[str, object] = {}
        self._number = 0
        with self._errors():
            self._frame = pl.scan_parquet(file.path, glob=False)
            self.columns = list(self._frame.collect_schema())
            self._height = int(self._frame.select(pl.len()).collect().item())

    @property
    def bytes_read(self) -> int:
        return self.file.size * self._number // max(self._height, 1)

    def rows(self) -> Iterator[TableRow]:
        self._number = 0
        with self._errors():
            for batch in self._frame.collect_batches(chunk_size=_BATCH, maintain_order=True):
                yield from map(self._row, batch.iter_rows(named=True))

    def sample(self) -> list[dict[str, object]]:
        with self._errors():
            head = self._frame.head(SAMPLE).collect()
        return [{name: _plain(value) for name, value in row.items()} for row in head.iter_rows(named=True)]

    def _row(self, row: dict[str, Any]) -> TableRow:
        self._number += 1
        self._values = {name: _plain(value) for name, value in row.items()}
        return TableRow(self._number, self._values, "")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InvalidFile(f"{self.file.path}: damaged Parquet ({reason:.200}); fetch it again") from None

    def text(self) -> str:
        return msgspec.json.encode(self._values, enc_hook=repr).decode()


def _plain(value: Any) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, Decimal):
        return float(value)
    return value
