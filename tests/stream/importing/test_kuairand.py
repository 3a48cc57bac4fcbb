"""A KuaiRand row is one impression with its actions; the first of its key in the file counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from feedmill.domain.clock import SystemClock
from feedmill.domain.errors import InvalidFile
from feedmill.domain.records import Item, User
from feedmill.stream.catalog.store import CatalogStore
from feedmill.stream.importing.kuairand import ACTIONS, KuaiRandSource
from feedmill.stream.importing.runner import run_import
from feedmill.stream.ingest import Ingest
from feedmill.testing.memory_log import MemoryLog

T = 1_650_812_741_436


def _folder(tmp_path: Path, log_header: str, rows: list[str]) -> Path:
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / "log_a.csv").write_text("\n".join([log_header, *rows, ""]))
    return tmp_path / "k"


HEADER = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
)


def test_a_row_becomes_one_impression_with_what_followed(place, tmp_path: Path) -> None:
    row = f"712,5239,20220425,0,{T},1,0,0,1,0,0,1,61802,49866,0,2799,1,1,4"
    place.run(KuaiRandSource(_folder(tmp_path, HEADER, [row]), place.clock))
    (record,) = place.records()
    assert (record.kind, record.subject, record.object, record.timestamp) == ("seen", "712", "5239", T)
    assert record.context == {"surface": "4", "is_rand": True, "duration": 49.866}
    assert record.outcomes == {
        "click": 1.0,
        "comment": 1.0,
        "long_view": 1.0,
        "profile_enter": 1.0,
        "view": 61.802,
        "comment_stay": 2.799,
    }


def test_the_first_row_of_a_key_counts(place, tmp_path: Path) -> None:
    rows = [f"1,2,20220425,{hour},{T},{click},0,0,0,0,0,0,0,9,0,0,0,0,1" for hour, click in ((0, 1), (100, 0))]
    later = f"1,2,20220425,0,{T + 1},0,0,0,0,0,0,0,0,9,0,0,0,0,1"
    earlier = f"3,2,20220425,0,{T - 1},0,0,0,0,0,0,0,0,9,0,0,0,0,1"
    result = place.run(KuaiRandSource(_folder(tmp_path, HEADER, [*rows, later, earlier]), place.clock))
    assert (result.read, result.accepted, result.duplicates) == (4, 3, 1)
    assert [(r.timestamp, r.outcomes) for r in place.records()] == [(T - 1, {}), (T, {"click": 1.0}), (T + 1, {})]


def test_users_and_videos_keep_their_columns_and_come_before_the_events(place, kuairand: Callable[[int], Path]) -> None:
    result = place.run(KuaiRandSource(kuairand(100), place.clock))
    assert (result.users.accepted, result.items.accepted) == (50, 90)
    assert place.catalog.user("7") == User(
        attributes={
            "user_active_degree": "full_active",
            "is_live_streamer": "1",
            "follow_user_num": 7,
            "follow_user_num_range": "0",
            "onehot_feat4": "1",
        }
    )
    assert place.catalog.item("7") == Item(
        author_id="7",
        created_at=1_649_520_000_000,  # 2022-04-10 in Beijing
        tags=("2",),
        duration=9.0,
        attributes={
            "video_type": "NORMAL",
            "upload_type": "Web",
            "visible_status": "0",
            "music_id": "1",
            "music_type": "9",
            "server_width": 720,
            "server_height": 1280,
        },
    )
    kinds = [record.kind for record in place.records()]
    assert kinds == ["item"] * 90 + ["user"] * 50 + ["seen"] * result.accepted
    times = [record.timestamp for record in place.records()]
    assert times == sorted(times)


def test_bad_rows_name_their_column(place, tmp_path: Path) -> None:
    rows = [
        f"1,2,20220425,0,{T},2,0,0,0,0,0,0,0,9,0,0,0,0,1",
        "1,2,20220425,0,soon,1,0,0,0,0,0,0,0,9,0,0,0,0,1",
        f"1,2,20220425,0,{T},1,0,0,0,0,0,0,nan,9,0,0,0,0,1",
        f"1,2,20220425,0,{T},1,0,0,0,0,0,0,5,9,0,0,0,0,1",
    ]
    result = place.run(KuaiRandSource(_folder(tmp_path, HEADER, rows), place.clock))
    assert (result.accepted, result.rejected) == (1, 3)
    text = (place.folder / "rejects.jsonl").read_text()
    assert [
        f'"field":"{name}"' in line
        for name, line in zip(("is_click", "time_ms", "play_time_ms"), text.splitlines(), strict=True)
    ] == [True] * 3


def test_actions_that_the_configuration_knows_are_not_proposed(place, kuairand: Callable[[int], Path]) -> None:
    result = place.run(KuaiRandSource(kuairand(5), place.clock), known={"click": ACTIONS["click"]})
    assert "click" not in result.actions
    assert result.actions["hate"].hides
    assert list(result.objectives) == ["click", "long_view", "like"]


def test_a_folder_of_something_else_is_refused(place, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"no log_\*\.csv"):
        KuaiRandSource(tmp_path, place.clock)
    with pytest.raises(InvalidFile, match="not a folder"):
        KuaiRandSource(tmp_path / "nowhere", place.clock)
    source = KuaiRandSource(_folder(tmp_path, "user,video", ["1,2"]), place.clock)
    with pytest.raises(InvalidFile, match="no column 'user_id'"):
        place.run(source)


def test_the_published_excerpt_is_imported_once(data_dir: Path, tmp_path: Path) -> None:
    clock, log, catalog = SystemClock(), MemoryLog(), CatalogStore(tmp_path / "catalog.db")
    ingest = Ingest(log, catalog, clock)
    result = run_import(KuaiRandSource(data_dir / "kuairand", clock), ingest, clock)
    assert (result.read, result.accepted, result.duplicates, result.rejected) == (94_784, 91_805, 2_979, 0)
    assert (catalog.count_users(), catalog.count_items()) == (27_285, 7_583)
    records, _ = log.read(0, log.end())
    seen = [record for record in records if record.kind == "seen"]
    assert sum(record.timestamp >= 1_651_161_600_000 for record in seen) == 35_665
    again = run_import(KuaiRandSource(data_dir / "kuairand", clock), ingest, clock)
    assert (again.read, again.accepted, again.duplicates, log.end()) == (94_784, 0, 94_784, len(records))
    assert (again.users.unchanged, again.items.unchanged) == (27_285, 7_583)
