"""The person at the phone: one more user of the server, of whom it knows nothing at first."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from feedmill.client import Client, PageItem
from feedmill.domain.clock import Clock
from feedmill.domain.errors import InvalidRecord, Unavailable
from feedmill.run.demo.telling import Belief, Card, Reaction
from feedmill.simulation.topics import TOPICS

PHONE = "phone"
BELIEFS = "beliefs"
"""Surfaces: what is ranked on the second is seen by nobody, and nothing is learned from it."""

_PAGE = 10
"""Cards after which the person is at the top of a feed again."""
_BELOW = 2
"""Items that are asked for beyond it, to say what a card came out ahead of, and at most so many are named."""
_NAMES = frozenset(topic.name for topic in TOPICS)

RecentItems = Callable[[], Mapping[str, Sequence[str]]]
"""Gives ids of some recent items by topic, as an application knows its own catalogue."""


class Person:
    """Somebody who looks at one card after another. Calls wait for the server; one thread at a time.

    They raise what the client raises, and Unavailable while there is nothing to show.
    """

    def __init__(self, client: Client, clock: Clock, recent: RecentItems, user_id: str = "") -> None:
        self.user_id = user_id or f"guest-{uuid.uuid4().hex[:8]}"
        self._client = client
        self._clock = clock
        self._recent = recent
        self._bodies = _Bodies(client)
        self._seen: set[str] = set()
        """The requests of cards that were reacted to."""

    def next(self) -> Card:
        """What the feed shows now at the place to which the person has scrolled.

        After each card the feed is asked for again, so that it knows what was done with that one. Whoever has scrolled
        down gets what stands further down, where a feed is for variety and for new items, too; it begins at the top
        again after ten cards.
        """
        page = self._client.feed(self.user_id, limit=_PAGE + _BELOW, surface=PHONE)
        if not page["items"]:
            raise Unavailable("there is nothing to show yet")
        place = min(len(self._seen) % _PAGE, len(page["items"]) - 1)
        item, *after = page["items"][place:]
        item_id, request_id = item["item_id"], page["request_id"]
        body = self._bodies.get(item_id)
        trace = self._client.explain(request_id, item_id)["trace"]
        ranked = 0 if trace is None else trace["candidates"] - sum(one["count"] for one in trace["removed"])
        topics = topics_of(body)
        return Card(
            request_id=request_id,
            item_id=item_id,
            title=item["title"],
            author_id=body.get("author_id") or "",
            topic=topics[0] if topics else "",
            topics=topics,
            mood=str(body.get("attributes", {}).get("mood", "")),
            duration=float(body.get("duration") or 0.0),
            sources=tuple(item["sources"]),
            why=item["why"],
            predictions=item["predictions"],
            score=item["score"],
            rank=item["position"],
            considered=ranked,
            explored=item["probability"],
            ahead_of=ahead_of(item["score"], after),
            varied=any(one["score"] > item["score"] for one in after),
        )

    def react(self, reaction: Reaction) -> None:
        """Tell the server what was done with a card: it is in the next feed when this returns, and learned once.

        Raises InvalidRecord where the server refuses it. The person has left the card in any case.
        """
        self._seen.add(reaction.request_id)
        body = self._bodies.get(reaction.item_id)
        now = self._clock.now()
        seconds = reaction.watched * float(body.get("duration") or 0.0)
        events: list[dict[str, Any]] = [
            {
                "kind": "seen",
                "user_id": self.user_id,
                "item_id": reaction.item_id,
                "request_id": reaction.request_id,
                "timestamp": now,
                "event_id": f"{self.user_id}/{reaction.request_id}/{reaction.item_id}",
                "context": {"surface": PHONE},
                "outcomes": {"watched": reaction.watched, "view": seconds, **dict.fromkeys(reaction.actions, 1.0)},
            }
        ]
        if "follow" in reaction.actions:
            events += self._following(body)
        self._send(events)

    def follow(self, item_id: str) -> None:
        """Follow the author of an item. Told again, with a reaction or without, it changes nothing.

        Raises InvalidRecord where the server refuses it.
        """
        self._send(self._following(self._bodies.get(item_id)))

    def _following(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The event of following an item's author; none where nobody is named."""
        author = body.get("author_id")
        if not author:
            return []
        return [
            {
                "kind": "relation",
                "user_id": self.user_id,
                "target_id": author,
                "target_kind": "author",
                "action": "follow",
                "timestamp": self._clock.now(),
                "event_id": f"{self.user_id}/follow/{author}",
            }
        ]

    def _send(self, events: list[dict[str, Any]]) -> None:
        if not events:
            return
        for result in self._client.send(events)["results"]:
            if result["status"] == "rejected":
                raise InvalidRecord(result["field"], result["problem"])

    def beliefs(self) -> tuple[Belief, ...]:
        """What share of an item the engine expects to be watched, by topic, best first; of topics that have items."""
        recent = self._recent()
        item_ids = list(dict.fromkeys(item_id for ids in recent.values() for item_id in ids))
        if not item_ids:
            return ()
        ranked = self._client.rank(self.user_id, item_ids, surface=BELIEFS)
        expected = {item["item_id"]: item["predictions"].get("watched") for item in ranked["items"]}
        beliefs = []
        for topic, ids in recent.items():
            shares = [share for item_id in ids if (share := expected.get(item_id)) is not None]
            if shares:
                # What is regressed may lie a little outside of what can be.
                beliefs.append(Belief(topic, min(1.0, max(0.0, sum(shares) / len(shares)))))
        return tuple(sorted(beliefs, key=lambda belief: -belief.watched))


class _Bodies:
    """What is said of the last items that were asked for. Items of this world do not change."""

    MOST = 500

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._bodies: dict[str, dict[str, Any]] = {}

    def get(self, item_id: str) -> dict[str, Any]:
        with self._lock:
            body = self._bodies.get(item_id)
        if body is None:
            body = self._client.get_item(item_id)
            with self._lock:
                self._bodies[item_id] = body
                if len(self._bodies) > self.MOST:
                    del self._bodies[next(iter(self._bodies))]
        return body


def ahead_of(score: float, after: Sequence[PageItem]) -> tuple[tuple[str, float], ...]:
    """Titles and scores of the best of what stands after an item on a page and is below its score, the best first.

    Where a page is varied, what stands after an item may have a higher score: it was not ahead of that.
    """
    below = sorted((one for one in after if one["score"] < score), key=lambda one: -one["score"])
    return tuple((one["title"], one["score"]) for one in below[:_BELOW])


def topics_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """What an item is about, the first topic first.

    >>> topics_of({"categories": ["cats"], "tags": ["kitten", "cats", "music"]})
    ('cats', 'music')
    """
    named = (*body.get("categories", ()), *body.get("tags", ()))
    return tuple(dict.fromkeys(name for name in named if name in _NAMES))
