"""A place to import into, and folders that are written as their owners publish them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from feedmill.domain.clock import ManualClock
from feedmill.domain.records import Record
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.importing.result import ImportResult
from feedmill.stream.importing.runner import run_import
from feedmill.stream.importing.source import Source
from feedmill.stream.ingest import Ingest
from feedmill.testing.memory_log import MemoryLog

NOW = 1_700_000_000_000  # 2023-11-14T22:13:20Z


@dataclass
class Place:
    """A log and a catalog in memory and a temporary folder."""

    folder: Path
    clock: ManualClock
    log: MemoryLog
    catalog: CatalogStore
    ingest: Ingest

    def run(self, source: Source, **options: Any) -> ImportResult:
        options.setdefault("rejects", self.folder / "rejects.jsonl")
        return run_import(source, self.ingest, self.clock, **options)

    def records(self, kind: str = "") -> list[Record]:
        records, _ = self.log.read(0, self.log.end())
        return [record for record in records if kind in ("", record.kind)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    clock, log, catalog = ManualClock(NOW), MemoryLog(), CatalogStore(tmp_path / "catalog.db")
    return Place(tmp_path, clock, log, catalog, Ingest(log, catalog, clock))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file and gives its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


LOG_HEADER = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
)
USER_HEADER = "user_id,user_active_degree,is_live_streamer,follow_user_num,follow_user_num_range,onehot_feat4"
VIDEO_HEADER = (
    "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,"
    "server_width,server_height,music_id,music_type,tag"
)


def kuairand_log(user: int, video: int, time_ms: int, click: int = 0) -> str:
    return f"{user},{video},20220425,0,{time_ms},{click},0,0,0,0,0,0,1500,9000,0,0,0,0,1"


@pytest.fixture
def kuairand(tmp_path: Path) -> Callable[[int], Path]:
    """A folder in KuaiRand's layout with that many rows in its log, every tenth of them a repeat."""

    def make(rows: int) -> Path:
        folder = tmp_path / "kuairand"
        folder.mkdir()
        seen = [
            kuairand_log(n * 7 % 50, n * 13 % 90, 1_650_812_741_436 + n * 7919 % 600_000, n % 2) for n in range(rows)
        ]
        seen = [seen[n - 1] if n % 10 == 9 else row for n, row in enumerate(seen)]
        _write(folder / "log_standard_4_22_to_5_08_pure.csv", LOG_HEADER, seen)
        _write(folder / "user_features_pure.csv", USER_HEADER, [f"{n},full_active,1,{n},0,1.0" for n in range(50)])
        videos = [f"{n},{n % 9},NORMAL,2022-04-10,Web,0.0,9000.0,720.0,1280.0,1,9.0,{n % 5}" for n in range(90)]
        _write(folder / "video_features_basic_pure.csv", VIDEO_HEADER, videos)
        return folder

    return make


def _write(path: Path, header: str, rows: list[str]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(row.split(",") for row in rows)
