"""Rows of delimited text (CSV, TSV), each with the physical line on which it begins."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO, NamedTuple

from feedmill.domain.errors import InvalidFile
from feedmill.stream.importing.lines import Line, Lines
from feedmill.stream.validation import MAX_TEXT

_DELIMITERS = ",\t;|"


class Row(NamedTuple):
    """A row, or what is wrong with it."""

    line: int
    cells: list[str]
    """As many as the header has; none where there is a problem."""
    problem: str


class DelimitedRows:
    """Iterates over the rows after the header. Empty lines are no rows.

    Quotes are read strictly. A quote that never closes would swallow the rows after it: only the line on which it
    opens is a problem, and reading goes on with the next.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        """Raises InvalidFile where the first line is no header: unreadable, or with a name twice."""
        self._lines = Lines(stream)
        self._consumed: list[Line] = []
        first = next(self._lines, Line(1, "", ""))
        if first.problem:
            raise InvalidFile(f"{name}: the first line has to hold the column names, but {first.problem}")
        self.delimiter = max(_DELIMITERS, key=first.text.count)
        try:
            names = next(csv.reader([first.text], delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise InvalidFile(
                f"{name}: the first line has to hold the column names, but cannot be read ({error})"
            ) from None
        self.header = [name.strip() for name in names]
        named = [name for name in self.header if name]
        if not named:
            raise InvalidFile(f"{name}: the first line has to hold the column names, but is empty")
        if len(set(named)) < len(named):
            twice = next(column for column in named if named.count(column) > 1)
            raise InvalidFile(f"{name}: two columns are named {twice!r}; rename one")

    def text(self) -> str:
        """The last row as it stands in the file."""
        return "".join(line.text for line in self._consumed).rstrip("\r\n")

    def __iter__(self) -> Iterator[Row]:
        width = len(self.header)
        reader = self._reader()
        consumed = self._consumed
        while True:
            consumed.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._first_line_only(str(error))
                reader = self._reader()
                continue
            start = consumed[0].number
            problem = next((line.problem for line in consumed if line.problem), "")
            if problem:
                yield Row(start, [], problem)
            elif len(cells) == width:
                yield Row(start, cells, "")
            elif cells:
                yield Row(start, [], f"has {len(cells)} columns, the header has {width}")

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._texts(), delimiter=self.delimiter, strict=True)

    def _texts(self) -> Iterator[str]:
        for line in self._lines:
            self._consumed.append(line)
            yield line.text

    def _first_line_only(self, error: str) -> Row:
        """The line on which a row that cannot be read begins, as a problem; its other lines come again."""
        first, *rest = self._consumed
        self._lines.push_back(rest)
        del self._consumed[1:]
        if rest or "end of data" in error:
            error = "a quote opens and does not close"
        elif "field limit" in error:
            error = f"a field is longer than {MAX_TEXT:,} characters"
        return Row(first.number, [], first.problem or error)
