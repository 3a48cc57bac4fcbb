"""The way from the event loop into the engine, which blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from feedmill.domain.records import Record
from feedmill.run.local.live import Live
from feedmill.stream.ingest import Ingested

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_WAITING = 8
"""Threads that wait for the disk, for each that computes: waiting costs nothing but the thread."""


class Calls:
    """Threads that wait for the engine, so that the event loop does not."""

    def __init__(self, live: Live, workers: int) -> None:
        self._live = live
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="feedmill-api")
        # Of their own, so that a slow disk does not hold up those who need none of it.
        self._waiting = ThreadPoolExecutor(_WAITING * workers, thread_name_prefix="feedmill-disk")
        # A long post is decoded and validated here. One thread: two would only fight for the interpreter.
        self._decoding = ThreadPoolExecutor(1, thread_name_prefix="feedmill-decode")

    async def call(self, method: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """What a method of the engine gives that answers from memory."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, method, *arguments)

    async def wait(self, method: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """What a method of the engine gives that waits for the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._waiting, method, *arguments)

    async def decode(self, work: Callable[[], T]) -> T:
        """What a computation gives that would hold up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._decoding, work)

    async def submit(self, records: Sequence[Record]) -> Ingested:
        """The records, durable and folded."""
        # Shielded, because records that were handed over will be written, whether or not somebody still waits.
        return await asyncio.shield(asyncio.wrap_future(self._live.submit(records)))

    def close(self) -> None:
        """Let the threads go; they finish what they are at."""
        for pool in (self._pool, self._waiting, self._decoding):
            pool.shutdown(wait=False, cancel_futures=True)
