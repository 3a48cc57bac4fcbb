"""A small world, and a server on its clock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from feedmill.run.config_layers import dump_toml
from feedmill.run.demo.setting import Setting, live_config
from feedmill.run.home import Home
from feedmill.run.local.supervisor import listen
from feedmill.run.world_config import world_config
from feedmill.testing.world_server import WorldServer


@pytest.fixture(scope="module")
def setting() -> Setting:
    """A step of this world takes 139 ms."""
    return Setting(seed=2, users=40, day_seconds=20.0)


@pytest.fixture(scope="module")
def served(setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorldServer]:
    home = Home(tmp_path_factory.mktemp("demo") / "home")
    home.config.write_text(dump_toml(live_config(world_config(setting.seed))))
    with listen("127.0.0.1", 0) as listening:
        served = WorldServer(home, setting.clock(), listening)
        with contextlib.closing(served):
            served.start("server")
            served.start("trainer")
            served.wait_until_ready()
            yield served
