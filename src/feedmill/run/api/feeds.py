"""Feeds, rankings, similar items, and why."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from feedmill.domain.errors import InvalidRecord
from feedmill.run.api.bodies import JSON, decode_object, media_type
from feedmill.run.api.calls import Calls
from feedmill.run.api.queries import Query, path_id
from feedmill.run.api.routes import Content, Route, Schema, in_path, in_query, json_answer, ref
from feedmill.run.local.answers import FeedRequest, LeftOut, RankRequest, SimilarItem
from feedmill.run.local.live import MOST_SIMILAR, Live
from feedmill.run.local.pages import MOST_ITEMS
from feedmill.stream.validation import MAX_LIST, check_id, check_scalars, check_strings

_RANK = {"user_id", "item_ids", "surface", "context", "request_id"}


class SimilarItems(msgspec.Struct, frozen=True):
    """Items that are like another, most alike first."""

    item_id: str
    items: tuple[SimilarItem, ...]


class Feeds:
    """The routes that answer."""

    def __init__(self, live: Live, calls: Calls) -> None:
        self._live = live
        self._calls = calls

    async def feed(self, request: Request) -> Response:
        query = Query(request, _FEED_PARAMETERS, ("exclude",))
        asked = FeedRequest(
            user_id=path_id(request, "user_id"),
            limit=query.integer("limit", 20, 1, MOST_ITEMS),
            cursor=query.token("cursor"),
            surface=query.text("surface", "feed"),
            exclude=query.texts("exclude"),
            context=query.scalars("context"),
            request_id=query.text("request_id"),
        )
        # A page that has a name, or follows another, is answered when it is on the disk.
        call = self._calls.wait if asked.request_id or asked.cursor else self._calls.call
        return json_answer(await call(self._live.feed, asked))

    async def rank(self, request: Request) -> Response:
        Query(request, ())
        media_type(request, JSON)
        fields = decode_object(await request.body())
        for name in fields:
            if name not in _RANK:
                shown = name[:60].encode(errors="backslashreplace").decode() or "''"
                raise InvalidRecord(shown, f"unknown field; known are {', '.join(sorted(_RANK))}")
        item_ids = check_strings("item_ids", fields.get("item_ids"))
        first_at: dict[str, int] = {}
        for at, item_id in enumerate(item_ids):
            if first_at.setdefault(item_id, at) < at:
                raise InvalidRecord(f"item_ids[{at}]", f"{item_id!r:.60} is named twice; name each item once")
        asked = RankRequest(
            user_id=check_id("user_id", fields.get("user_id")),
            item_ids=item_ids,
            surface=check_id("surface", fields.get("surface", "rank")),
            context=check_scalars("context", fields.get("context", {})),
            request_id=check_id("request_id", fields["request_id"]) if "request_id" in fields else "",
        )
        call = self._calls.wait if asked.request_id else self._calls.call
        return json_answer(await call(self._live.rank, asked))

    async def similar(self, request: Request) -> Response:
        item_id = path_id(request, "item_id")
        limit = Query(request, ("limit",)).integer("limit", 20, 1, MOST_SIMILAR)
        found = await self._calls.call(self._live.similar, item_id, limit)
        return json_answer(SimilarItems(item_id, tuple(found)))

    async def explain(self, request: Request) -> Response:
        request_id = path_id(request, "request_id")
        item_id = Query(request, ("item_id",)).text("item_id")
        return json_answer(await self._calls.wait(self._live.explain, request_id, item_id or None))

    def routes(self) -> list[Route]:
        return [
            Route(
                "GET",
                "/v1/feed/{user_id}",
                self.feed,
                "getFeed",
                "feeds",
                "A page of a user's feed",
                "Every event of the user that was answered before is in it. A user who is not known gets one too.",
                {200: ("The page.", Content(ref("FeedPage"), _FEED_EXAMPLE))},
                (409, 422),
                [
                    in_path("user_id", "For whom.", "ada"),
                    in_query("limit", "How many items.", _up_to(MOST_ITEMS), 20),
                    in_query(
                        "cursor",
                        "What the page before gave: the next page of the same session, without repeats.",
                        {"type": "string", "maxLength": 4096},
                        "",
                    ),
                    in_query("surface", "Where it is shown.", {**ref("Id"), "default": "feed"}, "feed"),
                    in_query(
                        "exclude",
                        "Items that must not be on it; may be repeated.",
                        {"type": "array", "items": ref("Id"), "maxItems": MAX_LIST},
                        ["porto"],
                        style="form",
                        explode=True,
                    ),
                    in_query("request_id", "The same id gives the same page.", ref("Id"), "r-1"),
                    {
                        "name": "context",
                        "in": "query",
                        "description": "What else is known of the request: a JSON object.",
                        "content": {"application/json": {"schema": ref("Scalars"), "example": {"device": "phone"}}},
                    },
                ],
            ),
            Route(
                "POST",
                "/v1/rank",
                self.rank,
                "rank",
                "feeds",
                "Put my candidates in order",
                "Those that a feed would not show are left out, with the reason.",
                {200: ("The candidates, best first.", Content(ref("RankedPage"), _RANK_EXAMPLE))},
                (408, 409, 413, 415, 422),
                body=[
                    Content(ref("RankBody"), {"user_id": "ada", "item_ids": ["lisbon", "porto"], "request_id": "r-2"})
                ],
            ),
            Route(
                "GET",
                "/v1/items/{item_id}/similar",
                self.similar,
                "getSimilar",
                "feeds",
                "Items like an item",
                "Most alike first.",
                {200: ("Those that are like it.", Content(ref("SimilarItems"), _SIMILAR_EXAMPLE))},
                (404, 422),
                [
                    in_path("item_id", "Like which.", "lisbon"),
                    in_query("limit", "How many items.", _up_to(MOST_SIMILAR), 20),
                ],
            ),
            Route(
                "GET",
                "/v1/explain/{request_id}",
                self.explain,
                "explain",
                "feeds",
                "Why a page is what it is",
                "And, for an item that is asked about, why it is on the page or is not.",
                {200: ("What is known of it.", Content(ref("PageExplanation"), _EXPLAIN_EXAMPLE))},
                (404, 422),
                [
                    in_path("request_id", "The page's request id.", "r-1"),
                    in_query("item_id", "An item to ask about.", ref("Id"), "lisbon"),
                ],
            ),
        ]


def _up_to(most: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": 20}


_FEED_PARAMETERS = ("limit", "cursor", "surface", "exclude", "request_id", "context")
_FRESHNESS_EXAMPLE = {
    "state_position": 4711,
    "parameters_step": 120,
    "parameters_position": 4700,
    "parameters_age_ms": 240,
}
_POSITION_EXAMPLE = {
    "position": 1,
    "item_id": "lisbon",
    "title": "A week in Lisbon",
    "sources": ["co_visitation", "fresh"],
    "predictions": {"click": 0.21, "long_view": 0.4, "like": 0.12},
    "score": 0.745,
    "probability": None,
    "why": "liked by people who liked A day in Porto",
    "repeated": False,
}
_FEED_EXAMPLE = {
    "request_id": "r-1",
    "user_id": "ada",
    "surface": "feed",
    "items": [_POSITION_EXAMPLE],
    "cursor": "",
    "note": "",
    "arm": "feedmill",
    "freshness": _FRESHNESS_EXAMPLE,
    "traced": True,
}
_RANK_EXAMPLE = {
    "request_id": "r-2",
    "user_id": "ada",
    "items": [_POSITION_EXAMPLE],
    "left_out": msgspec.to_builtins((LeftOut("porto", "hidden"),)),
    "freshness": _FRESHNESS_EXAMPLE,
}
_SIMILAR_EXAMPLE = {
    "item_id": "lisbon",
    "items": [{"item_id": "porto", "title": "A day in Porto", "score": 0.0163, "why": "shares travel"}],
}
_EXPLAIN_EXAMPLE = {
    "request_id": "r-1",
    "user_id": "ada",
    "surface": "feed",
    "at": 1_651_161_600_000,
    "arm": "feedmill",
    "policy_version": "3f2a",
    "state_position": 4711,
    "items": [_POSITION_EXAMPLE],
    "trace": {
        "candidates": 312,
        "removed": [{"stage": "seen", "reason": "seen", "count": 12}],
        "stages": [
            {
                "stage": "fresh",
                "kind": "source",
                "outcome": "ok",
                "milliseconds": 0.4,
                "entered": 0,
                "left": 100,
                "error": "",
            }
        ],
    },
    "note": "",
    "item": {
        "item_id": "lisbon",
        "title": "A week in Lisbon",
        "outcome": "shown",
        "sentence": "A week in Lisbon stands at position 1",
        "sources": ["fresh"],
        "rank": 1,
        "removal": None,
        "predictions": {},
        "score": 0.745,
    },
}
