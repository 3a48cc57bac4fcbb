"""How the server is: for probes, for Prometheus, for people."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from feedmill import __version__
from feedmill.domain.errors import FeedmillError
from feedmill.run.api.calls import Calls
from feedmill.run.api.metrics import MEDIA_TYPE, ApiMetrics
from feedmill.run.api.routes import Content, Route, json_answer, ref
from feedmill.run.local.live import Live


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str = "alive"


class Readiness(msgspec.Struct, frozen=True):
    """Whether requests are answered."""

    ready: bool
    missing: tuple[str, ...]
    """What is missing, in words; empty when it is ready."""
    held: str = ""
    """Where newer parameters are held back, and the last good ones served: since when and why, in words."""


class Health:
    """The routes that say how the server is."""

    def __init__(self, live: Live, calls: Calls, metrics: ApiMetrics) -> None:
        self._live = live
        self._calls = calls
        self._metrics = metrics

    async def alive(self, request: Request) -> Response:
        return json_answer(Alive())

    async def ready(self, request: Request) -> Response:
        held = ""
        try:
            status = await self._calls.call(self._live.status)
            missing = (status.starting,) if status.starting else ()
            held = status.held.sentence if status.held is not None else ""
        except FeedmillError as error:
            missing = (str(error),)
        answer = json_answer(Readiness(not missing, missing, held), 503 if missing else 200)
        if missing:
            answer.headers["retry-after"] = "1"
        return answer

    async def metrics(self, request: Request) -> Response:
        text = await self._calls.call(self._metrics.text)
        return Response(text, headers={"content-type": MEDIA_TYPE})

    async def status(self, request: Request) -> Response:
        return json_answer(await self._calls.call(self._live.status))

    def routes(self) -> list[Route]:
        freshness = {
            "state_position": 4711,
            "parameters_step": 120,
            "parameters_position": 4700,
            "parameters_age_ms": 240,
        }
        status = {
            "version": __version__,
            "started_at": 1_651_161_600_000,
            "starting": "",
            "log_end": 4711,
            "users": 120,
            "items": 900,
            "freshness": freshness,
            "trainer_lag": 11,
            "held": {"since": 1_651_161_600_000, "reasons": ["click: AUC 0.513, 0.724 before"]},
            "ages": {
                "to_state": {"p50": 2.1, "p99": 6.4},
                "to_trained": {"p50": 63.0, "p99": 120.0},
                "to_served": {"p50": 180.0, "p99": 310.0},
            },
            "set_aside": 0,
            "refused": [],
        }
        folding = {"ready": False, "missing": ["folding the log, 40,000 of 900,000 records"], "held": ""}
        return [
            Route(
                "GET",
                "/health/live",
                self.alive,
                "getLive",
                "health",
                "Whether the process answers",
                "If it does not, restart it. Needs no key.",
                {200: ("It does.", Content(ref("Alive"), {"status": "alive"}))},
            ),
            Route(
                "GET",
                "/health/ready",
                self.ready,
                "getReady",
                "health",
                "Whether requests are answered",
                "Not while the server starts. Needs no key.",
                {
                    200: ("They are.", Content(ref("Readiness"), {"ready": True, "missing": [], "held": ""})),
                    503: ("Not yet, and what is missing.", Content(ref("Readiness"), folding)),
                },
            ),
            Route(
                "GET",
                "/metrics",
                self.metrics,
                "getMetrics",
                "health",
                "Metrics for Prometheus",
                "Requests, events, stages, the age of the parameters.",
                {200: ("In the text format.", Content({"type": "string"}, "feedmill_ready 1.0\n", "text/plain"))},
            ),
            Route(
                "GET",
                "/v1/status",
                self.status,
                "getStatus",
                "health",
                "What the server knows of itself",
                "Positions, counts, and how old the parameters are.",
                {200: ("As of now.", Content(ref("LiveStatus"), status))},
            ),
        ]
