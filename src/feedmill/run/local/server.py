"""The server process: the live engine behind HTTP. Started by the supervisor, which gives it the listening socket."""

from __future__ import annotations

import argparse
import gc
import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from feedmill.domain.clock import SystemClock
from feedmill.domain.errors import FeedmillError, HomeError
from feedmill.run.api.app import make_app
from feedmill.run.api.serving import make_server
from feedmill.run.config import load_config
from feedmill.run.home import Home
from feedmill.run.local.lifeline import hold_on
from feedmill.run.local.live import Live
from feedmill.run.local.overview import ServerInfo, write_server
from feedmill.run.local.serving import KEY
from feedmill.run.local.supervisor import FAILED_AT_START, SOCKET, STARTED
from feedmill.run.local.worth import WorthMonitor
from feedmill.run.local.worth_metrics import WorthCollector
from feedmill.run.logs import open_log

_PATIENCE_SECONDS = 10.0
"""How long to wait for a home that a server which was killed a moment ago still seems to have."""
_SWITCH_SECONDS = 0.0005


def run(home: Home, listening: socket.socket, *, url: str, settings: Sequence[str], as_json: bool) -> int:
    """Serve until SIGTERM; the exit code."""
    began = float(os.environ.pop(STARTED, time.monotonic()))
    open_log()
    # More threads would make sums depend on the machine, and gain nothing on networks this small.
    torch.set_num_threads(1)
    # A feed gives up the interpreter's lock at each native call, and would wait five milliseconds for it each time that
    # another thread has work.
    sys.setswitchinterval(_SWITCH_SECONDS)
    clock = SystemClock()
    config = load_config(home.config, environment=os.environ, arguments=settings)
    live = Live(home, config, clock)
    monitor = WorthMonitor(home, config)
    app = make_app(
        live, api_key=os.environ.get(KEY) or None, config=config.api, collectors=[WorthCollector(monitor.worth)]
    )
    server = make_server(app, config.api)
    failed: list[FeedmillError] = []

    def start() -> None:
        try:
            _start_with_patience(live)
        except FeedmillError as error:
            failed.append(error)
            server.should_exit = True
            return
        monitor.start(live.log)
        # What has been loaded stays: a collector that goes over all of it would hold up requests, to find nothing.
        gc.collect()
        gc.freeze()
        write_server(home.server, ServerInfo(url, os.getpid(), clock.now()))
        _say_ready(url, time.monotonic() - began, live, as_json)

    starter = threading.Thread(target=start, name="feedmill-start", daemon=True)
    starter.start()
    server.run(sockets=[listening])
    monitor.close()
    live.close()
    if failed:
        print(f"feedmill: {failed[0]}", file=sys.stderr)
        return FAILED_AT_START
    return 0


def _start_with_patience(live: Live) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            live.start()
            return
        except HomeError as error:
            if type(error) is not HomeError or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


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
    options = parser.parse_args()
    hold_on()
    listening = socket.socket(fileno=int(os.environ.pop(SOCKET)))
    try:
        home = Home(options.home, create=False)
        return run(home, listening, url=options.url, settings=options.settings, as_json=options.json)
    except FeedmillError as error:
        print(f"feedmill: {error}", file=sys.stderr)
        return FAILED_AT_START


if __name__ == "__main__":
    sys.exit(main())
