"""Physical lines of a text file, each with what is wrong with it. One bad line does not stop the file."""

from __future__ import annotations

from collections import deque
from typing import IO, NamedTuple

MAX_LINE = 16 << 20
"""Bytes. A longer line is rejected and passed over, so that memory stays bounded."""


class Line(NamedTuple):
    number: int
    """From 1."""
    text: str
    """With its line end. Bytes that are not of the encoding stand as backslash escapes."""
    problem: str
    """Empty where the line can be read."""


class Lines:
    """Iterates over the lines of a stream of bytes; lines can be pushed back."""

    def __init__(self, stream: IO[bytes], encoding: str = "utf-8") -> None:
        self._stream = stream
        self._encoding = encoding
        self._number = 0
        self._pushed: deque[Line] = deque()

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> Line:
        if self._pushed:
            return self._pushed.popleft()
        raw = self._stream.readline(MAX_LINE)
        if not raw:
            raise StopIteration
        self._number += 1
        problem = ""
        if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            problem = f"the line is longer than {MAX_LINE >> 20} MiB"
            raw = raw[:1000] + b"..."
            self._pass_over()
        elif b"\0" in raw:
            problem = "the line contains NUL bytes"
        if self._number == 1 and raw.startswith(b"\xef\xbb\xbf"):
            raw = raw[3:]
        try:
            text = raw.decode(self._encoding)
        except UnicodeDecodeError as error:
            text = raw.decode(self._encoding, "backslashreplace")
            problem = problem or f"the line is not UTF-8 (byte {error.start + 1})"
        return Line(self._number, text, problem)

    def push_back(self, lines: list[Line]) -> None:
        """These lines come again, before the others."""
        self._pushed.extendleft(reversed(lines))

    def _pass_over(self) -> None:
        while chunk := self._stream.readline(MAX_LINE):
            if chunk.endswith(b"\n"):
                return
