"""A load on a server that may be killed under it: every event is posted until it is acknowledged."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
from pathlib import Path

from feedmill.testing.serving import Serving


class Load:
    """Posts events until each is acknowledged, and asks for feeds, from several threads, until it is stopped."""

    def __init__(self, url: str, *, items: int, users: int = 50) -> None:
        """On items `i0`, `i1` ... that there are, and users `u0`, `u1` ..."""
        self.url = url
        self.acknowledged: list[str] = []
        """The event ids that the server has taken."""
        self.feeds = 0
        """Whole pages that were answered."""
        self.wrong: list[str] = []
        """Answers that are neither success nor "not yet"."""
        self._items, self._users = items, users
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(n,)) for n in range(2)]
        self._threads.append(threading.Thread(target=self._read))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, when what has been begun is answered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _serving(self) -> Serving:
        return Serving(Path(), None, self.url, 0.0, None)  # type: ignore[arg-type]

    def _post(self, thread: int) -> None:
        generator, served, number = random.Random(thread), self._serving(), 0
        while not self._stopping.is_set():
            events = [
                {
                    "event_id": f"{thread}-{number + k}",
                    "user_id": f"u{generator.randrange(self._users)}",
                    "item_id": f"i{generator.randrange(self._items)}",
                    "action": generator.choice(["like", "click", "skip"]),
                }
                for k in range(10)
            ]
            # Retried until it is acknowledged, as a client does.
            while not self._stopping.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    reply = served.ask("POST", "/v1/events", events, timeout=10)
                    if reply.status == 200:
                        self.acknowledged += [str(event["event_id"]) for event in events]
                        break
                    if reply.status != 503:
                        self.wrong.append(f"{reply.status} {reply.body!r}")
                time.sleep(0.05)
            number += 10
            time.sleep(0.01)

    def _read(self) -> None:
        generator, served = random.Random(9), self._serving()
        while not self._stopping.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                reply = served.ask("GET", f"/v1/feed/u{generator.randrange(self._users + 10)}?limit=10", timeout=10)
                if reply.status == 200:
                    self.feeds += len(reply.json["items"]) == 10
                elif reply.status != 503:
                    self.wrong.append(f"{reply.status} {reply.body!r}")
            time.sleep(0.02)
