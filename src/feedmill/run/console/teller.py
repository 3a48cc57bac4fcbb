"""What the page asks of the world that it shows, and of the person who holds the phone."""

from __future__ import annotations

from typing import Protocol

from feedmill.run.demo.telling import Belief, Card, Reaction, Told


class Teller(Protocol):
    """A world that lives in a thread of its own."""

    def told(self) -> Told:
        """How it stands. Takes no time; may be called from any thread."""
        ...

    def shock(self, topic: str) -> None:
        """Everyone now wants a topic."""
        ...

    def release_viral(self, topic: str) -> None:
        """An item is born that nearly everyone watches to its end."""
        ...

    def open_studio(self, topic: str) -> None:
        """A gifted creator begins to publish."""
        ...

    def kill_trainer(self) -> bool:
        """Ends the trainer's process without a warning. False where it is not running."""
        ...


class Viewer(Protocol):
    """The person at the phone. Calls wait for the server; they raise its errors and ConnectionError."""

    @property
    def user_id(self) -> str: ...

    def next(self) -> Card:
        """What the feed would show now."""
        ...

    def react(self, reaction: Reaction) -> None:
        """Tells the server, which knows it when this returns."""
        ...

    def follow(self, item_id: str) -> None:
        """Follows the creator of an item, who may be followed already."""
        ...

    def beliefs(self) -> tuple[Belief, ...]:
        """What the engine expects of each topic, best first."""
        ...
