"""Why publishing stands still."""

from __future__ import annotations

import msgspec


class Hold(msgspec.Struct, frozen=True):
    """Why parameters are not published."""

    step: int
    """The step after which it was noticed: snapshots before it are good, as far as is known."""
    reasons: tuple[str, ...]
