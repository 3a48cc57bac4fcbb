"""The server process: the live engine behind HTTP. Started by the supervisor, which gives it the listening socket."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog
import torch

from feedmill.domain.clock import Clock, SystemClock, read_clock
from feedmill.domain.errors import FeedmillError, Unavailable
from feedmill.run.api.app import make_app
from feedmill.run.api.serving import make_server
from feedmill.run.config import load_config
from feedmill.run.home import Home
from feedmill.run.local.lifeline import hold_on
from feedmill.run.local.live import Live
from feedmill.run.local.overview import ServerInfo, write_server
from feedmill.run.local.patience import patiently
from feedmill.run.local.serving import KEY
from feedmill.run.local.supervisor import FAILED_AT_START, SOCKET, STARTED
from feedmill.run.local.worth import WorthMonitor
from feedmill.run.local.worth_metrics import WorthCollector
from feedmill.run.logs import open_log

CRASHED = 70
"""What the process exits with when it cannot trust its own state: the supervisor starts another."""
_SWITCH_SECONDS = 0.0005


def run(home: Home, listening: socket.socket, *, url: str, settings: Sequence[str], as_json: bool, clock: Clock) -> int:
    """Serve until SIGTERM; the exit code."""
    began = float(os.environ.pop(STARTED, time.monotonic()))
    open_log()
    # More threads would make sums depend on the machine, and gain nothing on networks this small.
    torch.set_num_threads(1)
    # A feed gives up the interpreter's lock at each native call, and would wait five milliseconds for it each time that
    # another thread has work.
    sys.setswitchinterval(_SWITCH_SECONDS)
    config = load_config(home.config, environment=os.environ, arguments=settings)
    live = Live(home, config, clock, on_failure=_crash)
    monitor = WorthMonitor(home, config)
    app = make_app(
        live, api_key=os.environ.get(KEY) or None, config=config.api, collectors=[WorthCollector(monitor.worth)]
    )
    server = make_server(app, config.api)
    stopping = threading.Event()
    failed: list[BaseException] = []

    def start() -> None:
        try:
            patiently(live.start, stopping)
            monitor.start(live.log)
            write_server(home.server, ServerInfo(url, os.getpid(), clock.now()))
        # Of every kind: a server that neither starts nor ends would be restarted by nobody.
        except BaseException as error:
            failed.append(error)
            server.should_exit = True
            return
        # What has been loaded stays: a collector that goes over all of it would hold up requests, to find nothing.
        gc.collect()
        gc.freeze()
        _say_ready(url, time.monotonic() - began, live, as_json)

    starter = threading.Thread(target=start, name="feedmill-start", daemon=True)
    # uvicorn raises the signal that has stopped it once more when it is done, and there is still something to do then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    starter.start()
    server.run(sockets=[listening])
    stopping.set()
    monitor.close()
    live.close()
    starter.join()
    if failed and not isinstance(failed[0], Unavailable):
        if not isinstance(failed[0], FeedmillError):
            raise failed[0]
        print(f"feedmill: {failed[0]}", file=sys.stderr)
        return FAILED_AT_START
    return 0


def _crash(error: BaseException) -> None:
    structlog.get_logger().error("the server ends, and begins again from the log", exc_info=error)
    os._exit(CRASHED)


def _say_ready(url: str, seconds: float, live: Live, as_json: bool) -> None:
    status = live.status()
    if as_json:
        said = {"url": url, "ready_seconds": round(seconds, 3), "position": status.log_end, "pid": os.getpid()}
        print(msgspec.json.encode(said).decode(), flush=True)
        return
    print(
        f"Feedmill serves {status.items:,} items to {status.users:,} users at {url}"
        f" (ready after {seconds:.1f} s); Ctrl-C stops",
        flush=True,
    )


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--clock")
    options = parser.parse_args()
    hold_on()
    listening = socket.socket(fileno=int(os.environ.pop(SOCKET)))
    try:
        home = Home(options.home, create=False)
        return run(
            home,
            listening,
            url=options.url,
            settings=options.settings,
            as_json=options.json,
            clock=SystemClock() if options.clock is None else read_clock(options.clock),
        )
    except FeedmillError as error:
        print(f"feedmill: {error}", file=sys.stderr)
        return FAILED_AT_START


if __name__ == "__main__":
    sys.exit(main())
