"""What tests ask for: data that may not be there, and an explicit wish for the long ones."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent

Require = Callable[[str, bool, str], None]
Mount = Callable[[str], contextlib.AbstractContextManager[Path]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="also run the tests that are marked soak")


def pytest_configure() -> None:
    # How long an example takes depends on what else the machine does.
    hypothesis.settings.register_profile("feedmill", deadline=None)
    hypothesis.settings.load_profile("feedmill")
    # What a shell starts in the background ignores SIGINT, and under `nohup` SIGHUP, which tests send to themselves and
    # to their children.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def require() -> Require:
    """`require(name, present, reason)` skips a test for want of something that is not present.

    The environment variable FEEDMILL_REQUIRE lists names, with commas between them, whose absence is a failure instead.
    """
    required = {name.strip() for name in os.environ.get("FEEDMILL_REQUIRE", "").split(",")}

    def check(name: str, present: bool, reason: str) -> None:
        if not present:
            if name in required:
                pytest.fail(f"FEEDMILL_REQUIRE={name}, but {reason}", pytrace=False)
            pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def data_dir(require: Require) -> Path:
    """The directory of public data sets (`kuairand/`, `ml-latest-small/`): FEEDMILL_DATA, else beside the checkout."""
    path = (ROOT / os.environ.get("FEEDMILL_DATA", "../shared/data")).resolve()
    require("data", path.is_dir(), f"there is no data at {path} (set FEEDMILL_DATA)")
    return path


@pytest.fixture
def tmpfs(tmp_path: Path, require: Require) -> Mount:
    """`with tmpfs("size=16m") as place`: a disk that can be filled, or made read-only, also for root."""

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


CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser(require: Require) -> Iterator[Browser]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright

    reason = f"there is no Chromium at {CHROMIUM} (Debian: apt-get install chromium)"
    require("chromium", CHROMIUM.exists(), reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()
