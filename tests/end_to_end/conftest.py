"""A disk that can be filled, or made read-only, also for root."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Mount = Callable[[str], contextlib.AbstractContextManager[Path]]


@pytest.fixture
def tmpfs(tmp_path: Path, require: Callable[[str, bool, str], None]) -> Mount:
    """`with tmpfs("size=16m") as place`: a disk of its own."""

    @contextlib.contextmanager
    def mount(options: str) -> Iterator[Path]:
        place = tmp_path / "tmpfs"
        place.mkdir()
        mounted = False
        with contextlib.suppress(FileNotFoundError):
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
            mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        require("mount", mounted, "this user may not mount a tmpfs")
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)

    return mount
