"""Every channel of parameter deltas keeps the contract of channels."""

from __future__ import annotations

from pathlib import Path

from feedmill.learn.sync.files import FileChannel
from feedmill.learn.sync.protocol import Channel
from feedmill.testing.channel_contract import ChannelContract
from feedmill.testing.memory_channel import MemoryChannel


class TestFileChannel(ChannelContract):
    def make(self, folder: Path) -> Channel:
        return FileChannel(folder)


class TestMemoryChannel(ChannelContract):
    def make(self, folder: Path) -> Channel:
        return MemoryChannel()
