"""When the log has to be told what time it is.

Impressions wait for the log's watermark, which stands still while nothing happens. After the last record of a busy
time, heartbeats move it on until every impression has had its window; then the log grows no more.
"""

from __future__ import annotations

from feedmill.domain.clock import DAY, MINUTE


class Heartbeat:
    """Says when one is due."""

    def __init__(self, silence: int, window: int) -> None:
        """`silence`: after how long without a record; `window`: how long impressions wait; both in milliseconds."""
        self._silence = silence
        self._window = window
        self._until = 0
        self._own_position = -1

    def due(self, now: int, watermark: int, position: int) -> bool:
        """Whether to append one: by the clock, the log's watermark and its end."""
        if position != self._own_position:
            self._own_position = position
            self._until = watermark + self._window + MINUTE
        # A log that has slept for a day would be made to forget all that was lately popular, for nothing.
        return self._silence <= now - watermark < DAY and watermark < self._until

    def appended(self, position: int) -> None:
        """The log ends here with a heartbeat of ours."""
        self._own_position = position
