"""The console process: the simulated people of a demonstration, and its page. Knows the server by its HTTP API only."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import msgspec
import structlog
import uvicorn
from fastapi import FastAPI
from nicegui import ui

from feedmill.client import Client
from feedmill.domain.clock import ScaledClock, read_clock
from feedmill.domain.errors import FeedmillError
from feedmill.run.console.page import build
from feedmill.run.demo.life import Life
from feedmill.run.demo.person import Person
from feedmill.run.demo.report import write_report
from feedmill.run.demo.setting import Setting
from feedmill.run.local.lifeline import hold_on
from feedmill.run.local.supervisor import SOCKET
from feedmill.run.logs import open_log

FAILED = 1
_DRAIN_SECONDS = 1
_LOOK_SECONDS = 0.02


def run(options: argparse.Namespace, clock: ScaledClock, listening: socket.socket) -> int:
    """Live and show the page until told to stop; the exit code."""
    setting = msgspec.json.decode(options.setting, type=Setting)
    app = FastAPI(openapi_url=None)
    server = _Server(uvicorn.Config(app, log_config=None, log_level="error", timeout_graceful_shutdown=_DRAIN_SECONDS))
    life = Life(setting, options.server, clock, options.processes, ended=server.end)
    client = Client(options.server)
    build(life, lambda: Person(client, clock, life.recent_items))
    ui.run_with(app, title="Feedmill learns", dark=True, show_welcome_message=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal that has stopped it once more when it is done, and there is something to do then.
        signal.signal(number, lambda number, frame: None)
    threading.Thread(target=_begin, args=(server, life, options), name="feedmill-begin", daemon=True).start()
    server.run(sockets=[listening])
    life.stop()
    client.close(0.0)
    write_report(options.report, life.report(options.url))
    if life.failure is not None:
        if not isinstance(life.failure, FeedmillError):
            raise life.failure
        structlog.get_logger().error("the world cannot go on", reason=str(life.failure))
        return FAILED
    return 0


class _Server(uvicorn.Server):
    def end(self) -> None:
        """Stop when what is being answered has been."""
        self.should_exit = True


def _begin(server: uvicorn.Server, life: Life, options: argparse.Namespace) -> None:
    """Begin, and tell who has started us, as soon as the page answers.

    Not before: when it starts, NiceGUI holds on to all objects for a moment, and what CPython is making of an iterator
    just then (a tuple) fails.
    """
    waiting = threading.Event()
    while not server.started:
        if server.should_exit:
            return
        waiting.wait(_LOOK_SECONDS)
    life.start()
    os.write(options.ready, b"\n")
    os.close(options.ready)


def main() -> int:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the address of the server")
    parser.add_argument("--url", required=True, help="the address of the page")
    parser.add_argument("--clock", required=True)
    parser.add_argument("--setting", required=True, help="a Setting as JSON")
    parser.add_argument("--processes", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--ready", type=int, required=True, help="the descriptor to write to once the page answers")
    options = parser.parse_args()
    hold_on()
    open_log()
    listening = socket.socket(fileno=int(os.environ.pop(SOCKET)))
    try:
        code = run(options, read_clock(options.clock), listening)
        # Threads may still wait for the answer of a server that is gone.
        sys.stderr.flush()
        os._exit(code)
    except FeedmillError as error:
        structlog.get_logger().error("the demonstration has ended", reason=str(error))
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
