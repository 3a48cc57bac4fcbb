"""The process is killed inside its appends; nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from feedmill.stream.log.sqlite import SqliteLog
from feedmill.stream.log.writer import SqliteLogConfig
from feedmill.testing.log_contract import event, read_all

BATCH = 50
CLIENT = """
import sys
from pathlib import Path
from feedmill.stream.log.sqlite import SqliteLog
from feedmill.stream.log.writer import SqliteLogConfig
from feedmill.testing.log_contract import event
log = SqliteLog(Path(sys.argv[1]), SqliteLogConfig(seal_at=200, fanout=2, wal_limit=1 << 19))
start = int(sys.argv[2])
while True:
    log.append([event(number) for number in range(start, start + 50)])
    start += 50
    print(start, flush=True)
"""


def kill_and_count(path: Path, kills: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    acknowledged = 0
    for _ in range(kills):
        # The client did not hear of its last batches, and repeats them.
        begin = max(0, acknowledged - 2 * BATCH)
        client = subprocess.Popen([sys.executable, "-c", CLIENT, str(path), str(begin)], stdout=subprocess.PIPE)
        assert client.stdout is not None
        # The kill comes some moments after an acknowledgement, so inside a later append, a sealing or a checkpoint.
        for _ in range(int(generator.integers(3, 60))):
            acknowledged = max(acknowledged, int(client.stdout.readline()))
        for _ in range(int(generator.integers(1, 20_000))):
            pass
        client.kill()
        for line in client.communicate()[0].splitlines():
            acknowledged = max(acknowledged, int(line))

        log = SqliteLog(path, SqliteLogConfig(seal_at=200, fanout=2))
        stored = read_all(log)
        assert len(stored) >= acknowledged
        assert len(stored) % BATCH == 0
        assert stored == [event(number) for number in range(len(stored))]
        log.close()
    log = SqliteLog(path, SqliteLogConfig(seal_at=200, fanout=2))
    assert log.append(stored).duplicates.all()
    log.close()


def test_nothing_acknowledged_is_lost_or_doubled_when_the_process_is_killed(tmp_path: Path) -> None:
    kill_and_count(tmp_path / "log", kills=3, seed=1)


@pytest.mark.soak
def test_nothing_acknowledged_is_lost_or_doubled_in_twenty_kills(tmp_path: Path) -> None:
    kill_and_count(tmp_path / "log", kills=20, seed=2)
