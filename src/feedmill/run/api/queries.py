"""Paths and query strings, read strictly: what is not understood is refused, never ignored."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from starlette.requests import Request

from feedmill.domain.errors import InvalidRecord
from feedmill.domain.records import Scalar
from feedmill.run.api.problems import malformed
from feedmill.stream.validation import check_id, check_scalars

_MOST_PARAMETERS = 2_000


def path_id(request: Request, name: str) -> str:
    """The id in a path. It is percent-encoded there, so that it may hold slashes."""
    try:
        value = unquote_to_bytes(request.path_params[name]).decode()
    except UnicodeDecodeError:
        raise malformed(f"{name} in the path is not UTF-8", name) from None
    return check_id(name, value)


class Query:
    """The parameters of a query string: each known and given once, unless it may be repeated.

    Raises Refusal (400) for what is no UTF-8, InvalidRecord for a parameter that is unknown or given twice.
    """

    def __init__(self, request: Request, known: Collection[str], repeatable: Collection[str] = ()) -> None:
        raw: bytes = request.scope["query_string"]
        self._given: dict[str, list[str]] = {}
        if not raw:
            return
        try:
            pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
        except UnicodeDecodeError:
            raise malformed("the query is not UTF-8", "query") from None
        except ValueError:
            raise malformed(f"the query has more than {_MOST_PARAMETERS:,} parameters", "query") from None
        for name, value in pairs:
            self._given.setdefault(name, []).append(value)
        for name, values in self._given.items():
            if name not in known:
                raise InvalidRecord(f"{name:.60}", f"unknown parameter; known are {', '.join(known) or 'none'}")
            if len(values) > 1 and name not in repeatable:
                raise InvalidRecord(name, f"is given {len(values)} times; give it once")

    def text(self, name: str, default: str = "") -> str:
        """A string of 1 to 256 bytes; the default where it is not given."""
        values = self._given.get(name)
        return check_id(name, values[0]) if values else default

    def token(self, name: str) -> str:
        """What an answer of ours gave, as it is; empty where it is not given."""
        return self._given.get(name, [""])[0]

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter that may be repeated."""
        return tuple(check_id(name, value) for value in self._given.get(name, ()))

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number in [least, most], in digits."""
        values = self._given.get(name)
        if not values:
            return default
        text = values[0]
        # No int() of a long text: reading it takes quadratic time.
        if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most:
            return int(text)
        raise InvalidRecord(name, f"must be a whole number from {least} to {most}, is {text[:40]!r}")

    def scalars(self, name: str) -> dict[str, Scalar]:
        """A JSON object of strings, numbers, booleans and null; empty where it is not given."""
        values = self._given.get(name)
        if not values:
            return {}
        try:
            value = msgspec.json.decode(values[0])
        except (ValueError, RecursionError):
            raise InvalidRecord(name, "must be a JSON object, is no JSON") from None
        return check_scalars(name, value)
