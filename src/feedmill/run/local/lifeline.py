"""How a child knows that its supervisor has died: a pipe that only the supervisor can write to comes to its end."""

from __future__ import annotations

import os
import threading

VARIABLE = "FEEDMILL_LIFELINE"
"""The descriptor of the reading end, in the environment of the child."""
ORPHANED = 75
"""What a child exits with that has lost its supervisor."""


def hold_on() -> None:
    """End this process when its supervisor is gone, however that died. Does nothing where there is none.

    It ends at once: what was acknowledged is on disk, and the next supervisor must find the home free.
    """
    named = os.environ.pop(VARIABLE, "")
    if not named.isdecimal():
        return
    descriptor = int(named)

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        os._exit(ORPHANED)

    threading.Thread(target=watch, name="feedmill-lifeline", daemon=True).start()
