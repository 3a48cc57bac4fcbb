"""Who fills the feeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from feedmill.domain.records import Record


class Slate(NamedTuple):
    """One page of a feed."""

    items: Sequence[str]
    """Item ids, best first; at most as many as were asked for."""
    request_id: str = ""
    """Returned with what the user did, on the `request_id` of the records."""


class Policy(Protocol):
    """Fills feeds, and is told what came of them. It sees what an application would send, and nothing else."""

    @property
    def name(self) -> str: ...

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> Sequence[Slate]:
        """A page of up to `k` items for each user; `now` is in UTC milliseconds.

        Who wants more than one page in a session is asked for again, after `observe` has told of the page before.
        """
        ...

    def observe(self, records: Sequence[Record]) -> None:
        """Records in the order of their time: items, users, and what was seen in this policy's own feeds."""
        ...
