"""Every log keeps the protocol."""

from __future__ import annotations

from pathlib import Path

from feedmill.stream.log.protocol import Log
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.stream.log.writer import SqliteLogConfig
from feedmill.testing.log_contract import LogContract
from feedmill.testing.memory_log import MemoryLog


class TestMemoryLog(LogContract):
    durable = False

    def open_log(self, place: Path) -> Log:
        return MemoryLog()


class TestSqliteLog(LogContract):
    def open_log(self, place: Path) -> Log:
        return SqliteLog(place / "log.sqlite")


class TestSqliteLogThatSealsAllTheTime(LogContract):
    def open_log(self, place: Path) -> Log:
        return SqliteLog(place / "log.sqlite", SqliteLogConfig(seal_at=4, fanout=2, wal_limit=1 << 16))
