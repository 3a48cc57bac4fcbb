"""Says where the page of a demonstration is once it answers, and opens it where there is somebody to see it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

_GOODBYE_SECONDS = 1.0


@contextlib.contextmanager
def greeting(url: str, *, browse: bool) -> Iterator[int]:
    """A descriptor to write a byte to when the page answers.

    The browser is opened from this process, and not from that of the page: it outlives the demonstration, and must not
    inherit what holds only for that.
    """
    heard, ready = os.pipe()
    thread = threading.Thread(target=_greet, args=(heard, url, browse), name="feedmill-greeting", daemon=True)
    thread.start()
    try:
        yield ready
    finally:
        os.close(ready)
        # A browser that runs in the terminal is not waited for.
        thread.join(_GOODBYE_SECONDS)


def _greet(heard: int, url: str, browse: bool) -> None:
    try:
        answers = os.read(heard, 1)
    finally:
        os.close(heard)
    if not answers:
        return
    with contextlib.suppress(OSError):
        sys.stderr.write(f"Feedmill's demo is at {url} (Ctrl-C ends it)\n")
        if sys.stderr.isatty():
            sys.stderr.write(
                "Swipe, like and skip on the phone and see the feed follow; then do something to the world.\n"
            )
        sys.stderr.flush()
    if browse and has_display():
        # Nothing that a browser says belongs among what the command prints.
        silent = subprocess.DEVNULL
        command = [sys.executable, "-I", "-m", "webbrowser", url]
        subprocess.run(command, stdin=silent, stdout=silent, stderr=silent, start_new_session=True, check=False)


def has_display() -> bool:
    """Whether a browser would have a screen to open a window on."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
