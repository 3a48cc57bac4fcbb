"""What the cells of a table mean: ids, numbers, times, lists. Errors name the column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime

import msgspec

from feedmill.domain.errors import InvalidRecord
from feedmill.domain.records import Scalar
from feedmill.stream.validation import Unit, read_time

TIME_UNITS = ("s", "ms", "us", "ns", "date", "iso")
"""Numbers since 1970 in one of four units; days as YYYYMMDD; ISO 8601 (and datetimes of typed files)."""

_COUNTED: dict[str, Unit] = {"s": "s", "ms": "ms", "us": "us", "ns": "ns"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "t": True, "f": False, "y": True, "n": False}
_FLAGS = {**_BOOLEANS, "1": True, "0": False, "1.0": True, "0.0": False}

Convert = Callable[[str, object], object]
"""From a column's name and the value in it to the value that a record takes; None where there is none."""


def is_missing(value: object) -> bool:
    """Nothing at all, an empty cell, or the NaN that typed files have for it."""
    return value is None or value == "" or value != value


def is_number_text(text: str) -> bool:
    """Whether a text is a number as files write them."""
    return _NUMBER.fullmatch(text.strip()) is not None


def as_id(_column: str, value: object) -> object:
    """Ids are strings: numbers are written out, without the `.0` that missing values elsewhere bring to a column."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None if is_missing(value) else value


def as_text(_column: str, value: object) -> object:
    return None if is_missing(value) else str(value) if isinstance(value, int | float) else value


def as_number(column: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidRecord(column, f"must be a number, is {text!r:.60}") from None


def as_flag(column: str, value: object) -> object:
    if is_missing(value):
        return None
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise InvalidRecord(column, f"must be true or false, is {value!r:.60}")
    return flag


def as_outcome(column: str, value: object) -> object:
    """A flag as 1.0, a number as it is; None where nothing followed: 0, false, or nothing at all."""
    if isinstance(value, str):
        flag = _BOOLEANS.get(value.strip().lower())
        value = flag if flag is not None else as_number(column, value)
    return None if is_missing(value) or value == 0 else float(value) if isinstance(value, bool) else value


def as_strings(column: str, value: object) -> object:
    """A list, a JSON array, or text that is divided by `|`, `;` or `,`, the first of them that occurs."""
    if is_missing(value):
        return None
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                value = msgspec.json.decode(text)
            except msgspec.DecodeError:
                value = [part.strip().strip("'\"") for part in text.strip("[]").split(",")]
        else:
            divider = next((divider for divider in "|;," if divider in text), ",")
            value = [part.strip() for part in text.split(divider)]
    if not isinstance(value, list | tuple):
        raise InvalidRecord(column, f"must be a list, is {value!r:.60}")
    return [text for text in (as_id(column, part) for part in value) if text is not None]


def as_numbers(column: str, value: object) -> object:
    """A list, a JSON array, or numbers divided by commas, semicolons or blanks."""
    if is_missing(value):
        return None
    if isinstance(value, str):
        value = [part for part in re.split(r"[\s,;]+", value.strip().strip("[]")) if part]
    if not isinstance(value, list | tuple):
        raise InvalidRecord(column, f"must be a list of numbers, is {value!r:.60}")
    return [as_number(f"{column}[{at}]", part) for at, part in enumerate(value)]


def as_scalar(_column: str, value: object) -> object:
    """What is kept as it stands; lists, objects and times as text."""
    if is_missing(value):
        return None
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return msgspec.json.encode(value, enc_hook=repr).decode()


def time_reader(unit: str) -> Convert:
    """Reads times of one of TIME_UNITS as UTC milliseconds, and ISO 8601 among numbers."""
    counted = _COUNTED.get(unit)

    def read(column: str, value: object) -> object:
        if is_missing(value):
            return None
        if isinstance(value, datetime | date):
            return read_time(column, value)
        text = str(value).strip()
        if counted is None or not _NUMBER.fullmatch(text):
            return read_time(column, text)
        return read_time(column, int(text) if _INTEGER.fullmatch(text) else float(text), counted)

    return read


def guess_time_unit(values: Iterable[object]) -> str:
    """The unit under which most values are times between 1973 and 5138; "iso" where most of them are no numbers."""
    present = [value for value in values if not is_missing(value)]
    texts = [str(value).strip() for value in present if not isinstance(value, date)]
    numbers = sorted(abs(float(text)) for text in texts if _NUMBER.fullmatch(text))
    if not numbers or 2 * len(numbers) < len(present):
        return "iso"
    middle = numbers[len(numbers) // 2]
    if 2 * sum(map(_is_day, numbers)) > len(numbers):
        return "date"
    return next((unit for unit, bound in (("s", 1e11), ("ms", 1e14), ("us", 1e17)) if middle < bound), "ns")


def scalar_reader(values: Iterable[object]) -> Convert:
    """Reads cells of text as numbers or booleans, where all of the sample are; as text elsewhere.

    A later cell that does not fit is kept as text. Numbers that begin with 0 (postal codes) are text.
    """
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    if not texts:
        return as_scalar
    if all(_INTEGER.fullmatch(text) for text in texts):
        return _cached(lambda text: int(text) if _INTEGER.fullmatch(text) else text)
    if all(_INTEGER.fullmatch(text) or (_NUMBER.fullmatch(text) and "." in text) for text in texts):
        return _cached(lambda text: float(text) if _NUMBER.fullmatch(text) else text)
    if all(text.lower() in _BOOLEANS for text in texts):
        return _cached(lambda text: _BOOLEANS.get(text.lower(), text))
    return as_scalar


def is_binary(values: Iterable[object]) -> bool:
    """Whether all values that are there are 0, 1, true or false, and some are."""
    present = [str(value).strip().lower() for value in values if not is_missing(value)]
    return bool(present) and all(text in _FLAGS for text in present)


def _cached(parse: Callable[[str], Scalar]) -> Convert:
    """Columns repeat their values: each is parsed once, up to a bound."""
    known: dict[str, Scalar] = {}

    def read(column: str, value: object) -> object:
        if not isinstance(value, str):
            return as_scalar(column, value)
        parsed = known.get(value)
        if parsed is None:
            text = value.strip()
            if not text:
                return None
            parsed = parse(text)
            if len(known) < 10_000:
                known[value] = parsed
        return parsed

    return read


def _is_day(number: float) -> bool:
    """Whether a number is a day as YYYYMMDD."""
    if not (number.is_integer() and 19_000_101 <= number <= 21_001_231):
        return False
    return 1 <= number // 100 % 100 <= 12 and 1 <= number % 100 <= 31
