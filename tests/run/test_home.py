from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from feedmill import __version__
from feedmill.domain.clock import ManualClock
from feedmill.domain.errors import HomeError, HomeVersionError, StorageError
from feedmill.run.home import FORMAT_VERSION, Home
from feedmill.stream.files import atomic_write

MountTmpfs = Callable[[str], AbstractContextManager[Path]]


@pytest.fixture
def tmpfs(tmp_path: Path, require: Callable[[str, bool, str], None]) -> MountTmpfs:
    @contextmanager
    def mount(options: str) -> Iterator[Path]:
        directory = tmp_path / "tmpfs"
        directory.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory)]
        try:
            mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            mounted = False
        require("mount", mounted, "this user may not mount a tmpfs")
        try:
            yield directory
        finally:
            subprocess.run(["umount", str(directory)], check=True)

    return mount


def remount(directory: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(directory)], check=True)


def test_a_path_that_does_not_exist_becomes_a_home(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home", clock=ManualClock(1_651_161_600_000))
    assert json.loads(home.marker.read_bytes()) == {
        "format_version": 1,
        "created_at": 1_651_161_600_000,
        "created_by": __version__,
    }
    assert home.snapshots.is_dir()
    assert sorted(entry.name for entry in home.path.iterdir()) == ["home.json", "snapshots"]


def test_a_home_that_is_opened_again_stays_what_it_was(tmp_path: Path) -> None:
    Home(tmp_path, clock=ManualClock(1))
    assert Home(tmp_path, create=False, clock=ManualClock(2)).info.created_at == 1


def test_what_an_interrupted_first_start_left_aside_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / ".home.json.0a1b2c3d.part").write_bytes(b"{")
    assert Home(tmp_path).info.format_version == FORMAT_VERSION


def test_a_home_from_a_newer_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text('{"format_version": 7, "created_at": 1, "created_by": "9.2.0", "shards": []}')
    with pytest.raises(HomeVersionError, match=r"format 7, made by Feedmill 9\.2\.0.* up to format 1\. Upgrade"):
        Home(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["home.json"]


def test_a_directory_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(HomeError, match=r"not a Feedmill home, and not empty \(it holds 'thesis.txt'\)"):
        Home(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.write_text("a file")
    with pytest.raises(HomeError, match="a file, not a directory"):
        Home(path)
    with pytest.raises(StorageError, match="Not a directory"):
        Home(path / "below")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"created_by": "\xff"}'])
def test_a_damaged_marker_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "home.json").write_bytes(content)
    with pytest.raises(HomeError, match=r"home\.json: damaged"):
        Home(tmp_path)


def test_a_home_that_must_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="there is no home here"):
        Home(tmp_path / "home", create=False)
    with pytest.raises(HomeError, match="an empty directory"):
        Home(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_home_is_refused_and_still_there(tmpfs: MountTmpfs) -> None:
    with tmpfs("size=64k") as directory:
        Home(directory / "home", clock=ManualClock(5))
        remount(directory, "ro")
        with pytest.raises(StorageError, match="read-only"):
            Home(directory / "home")
        remount(directory, "rw")
        assert Home(directory / "home").info.created_at == 5


def test_a_home_is_not_made_on_a_read_only_disk(tmpfs: MountTmpfs) -> None:
    with tmpfs("ro") as directory:
        for path in (directory, directory / "home"):
            with pytest.raises(StorageError, match="read-only"):
                Home(path)


def test_a_home_is_not_made_on_a_full_disk_and_is_once_there_is_space(tmpfs: MountTmpfs) -> None:
    with tmpfs("size=16k") as directory:
        ballast = directory / "ballast"
        ballast.write_bytes(bytes(16 * 1024))
        with pytest.raises(StorageError, match="the disk is full"):
            Home(directory / "home")
        ballast.unlink()
        assert Home(directory / "home").info.format_version == FORMAT_VERSION


def test_a_file_that_does_not_fit_keeps_its_old_content(tmpfs: MountTmpfs) -> None:
    with tmpfs("size=16k") as directory:
        path = directory / "slots.json"
        atomic_write(path, b"old")
        with pytest.raises(StorageError, match=r"slots\.json: the disk is full"):
            atomic_write(path, bytes(64 * 1024))
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in directory.iterdir()] == ["slots.json"]


def test_opening_a_home_does_not_load_the_model_libraries() -> None:
    code = "import sys, feedmill.run.home, feedmill.run.config; print('torch' in sys.modules, 'faiss' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
