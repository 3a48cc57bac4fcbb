"""Sessions: pages that follow each other, and in which nothing repeats.

A page knows the page before it, in the log as in memory, so that a session survives a restart of the server. A cursor
names the page that it follows. The page after it has a request id that is a digest of the question, the cursor with it:
who asks twice gets the same page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from feedmill.domain.errors import InvalidRecord
from feedmill.domain.ids import MAX_ID_BYTES

T = TypeVar("T")

_MOST_PAGES = 500
"""Pages that a session looks back on."""


def make_cursor(request_id: str) -> str:
    """The cursor of the page that follows this one.

    >>> read_cursor(make_cursor("page-1"))
    'page-1'
    """
    return base64.urlsafe_b64encode(b"1" + request_id.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    """The request id of the page that a cursor follows. Raises InvalidRecord where it is none."""
    try:
        decoded = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, request_id = decoded[:1], decoded[1:].decode()
    except (UnicodeError, binascii.Error):
        version, request_id = b"", ""
    if version != b"1" or not 1 <= len(request_id.encode()) <= MAX_ID_BYTES or "\0" in request_id:
        raise InvalidRecord("cursor", "is not one that a page of this server gave; leave it out to begin a session")
    return request_id


def new_request_id() -> str:
    """An id that no other request has."""
    return uuid.uuid4().hex


def digest_of(question: object) -> str:
    """32 hexadecimal digits that differ where two questions do: 128 bits of BLAKE2b."""
    return hashlib.blake2b(msgspec.msgpack.encode(question), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class PageOfSession:
    """What a session has to know of one of its pages."""

    user_id: str
    surface: str
    item_ids: tuple[str, ...]
    previous: str
    """The request id of the page before it; empty on the first."""


class Recent(Generic[T]):
    """The pages of the last requests by request id, with at most so many items. One thread at a time uses it."""

    def __init__(self, most_items: int) -> None:
        self._most_items = most_items
        self._items = 0
        self._pages: OrderedDict[str, tuple[T, int]] = OrderedDict()

    def get(self, request_id: str) -> T | None:
        page, _ = self._pages.get(request_id, (None, 0))
        return page

    def put(self, request_id: str, page: T, items: int) -> None:
        """Remember a page that is not known yet."""
        self._pages[request_id] = page, items
        self._items += items
        while self._items > self._most_items and len(self._pages) > 1:
            _, (_, forgotten) = self._pages.popitem(last=False)
            self._items -= forgotten


def shown_so_far(last: PageOfSession, find: Callable[[str], PageOfSession | None]) -> tuple[str, ...]:
    """The ids of all items of the session that ends with this page; `find` knows the pages before it.

    Cost: a `find` for each page. A session that is longer than 500 pages forgets its first ones.
    """
    items: list[str] = []
    page: PageOfSession | None = last
    for _ in range(_MOST_PAGES):
        if page is None:
            break
        items += page.item_ids
        page = find(page.previous) if page.previous else None
    return tuple(items)
