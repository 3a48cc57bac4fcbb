"""What an import says when it is done."""

from __future__ import annotations

import msgspec

from feedmill.domain.objectives import Action, Objective


class Counts(msgspec.Struct):
    """Rows of one part: `read` is the sum of the others."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    unchanged: int = 0
    """Users and items of which the catalog says the same already."""
    rejected: int = 0


class ImportResult(msgspec.Struct, kw_only=True):
    """The account of one import: the rows that it is about, then what came with them."""

    read: int
    accepted: int
    duplicates: int
    unchanged: int
    rejected: int
    unrecognisable: int
    """Accepted or not, rows with neither id nor timestamp: imported again, they are accepted again."""
    users: Counts
    items: Counts
    tags: Counts
    rejects: str | None
    """The JSON Lines file with the rejected rows of all parts; None where there are none."""
    mapping: dict[str, str]
    timestamp_unit: str
    actions: dict[str, Action]
    """Proposed meanings of actions that the configuration does not know."""
    objectives: dict[str, Objective]
    """Proposed objectives."""
    features: dict[str, tuple[str, ...]]
    """Proposed settings of features, to the names that they list."""
    first_timestamp: int | None
    """UTC milliseconds of the earliest event."""
    last_timestamp: int | None
    seconds: float
