"""How the server is, also while it starts; keys; metrics; and errors that nobody expected."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from feedmill.domain.clock import SystemClock
from feedmill.domain.errors import ConfigError
from feedmill.run.api.config import ApiConfig
from feedmill.run.config import Config
from feedmill.run.home import Home
from feedmill.run.local.live import Live

KEY = "sésame-1"


def samples(client: httpx.Client) -> dict[str, float]:
    """The lines of /metrics, by name and labels."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_server_that_starts_is_alive_and_not_ready(tmp_path: Path, serve: Any) -> None:
    starting = Live(Home(tmp_path / "home"), Config(), SystemClock())
    with serve(starting) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/health/live").json() == {"status": "alive"}
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.json()) == (
            503,
            {"ready": False, "missing": ["opening the home"], "held": ""},
        )
        for refused in (client.get("/v1/feed/ada"), client.put("/v1/items/a", json={}), client.get("/v1/items/a")):
            assert refused.status_code == 503
            assert refused.json()["detail"] == "the server is not ready: opening the home"
            assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/v1/status").json()["starting"] == "opening the home"
        assert samples(client)["feedmill_ready"] == 0


def test_a_server_that_has_started_is_ready(client: httpx.Client) -> None:
    assert client.get("/health/ready").json() == {"ready": True, "missing": [], "held": ""}


def test_requests_and_events_are_counted(live: Live, serve: Any) -> None:
    with serve(live) as server, httpx.Client(base_url=server.url) as client:
        event = {"user_id": "u", "item_id": "i", "action": "like", "event_id": "counted"}
        client.post("/v1/events", json=[event, event, {}])
        client.get("/v1/feed/a%2Fb")
        client.get("/v1/feed/c?limit=x")
        client.get("/nothing")
        found = samples(client)
        assert found['feedmill_http_requests_total{method="GET",route="/v1/feed/{user_id}",status="200"}'] == 1
        assert found['feedmill_http_requests_total{method="GET",route="/v1/feed/{user_id}",status="422"}'] == 1
        assert found['feedmill_http_requests_total{method="GET",route="none",status="404"}'] == 1
        assert found['feedmill_http_request_seconds_count{route="/v1/feed/{user_id}"}'] == 2
        assert [found[f'feedmill_events_total{{answer="{a}"}}'] for a in ("accepted", "duplicate", "rejected")] == [
            1
        ] * 3
        status = client.get("/v1/status").json()
        assert found["feedmill_ready"] == 1
        assert found["feedmill_log_end"] <= status["log_end"]
        assert found["feedmill_parameters_step"] == status["freshness"]["parameters_step"]
        stage = 'feedmill_stage_requests_total{feed="feedmill",kind="source",outcome="ok",stage="fresh"}'
        assert found[stage] >= 1
        assert (
            found['feedmill_stage_requests_total{feed="popularity",kind="refresh",outcome="ok",stage="trending"}'] >= 1
        )
        assert found["feedmill_background_failures_total"] == 0
        assert (found["feedmill_unlogged_pages_total"], found["feedmill_dropped_traces_total"]) == (0, 0)


class Answer(Collector):
    """A collector of somebody else's."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield GaugeMetricFamily("answer", "To everything.", value=42)


class Broken(Collector):
    """A defect."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        raise ZeroDivisionError("secret")

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return ()


def test_others_can_add_metrics(live: Live, serve: Any) -> None:
    with serve(live, collectors=[Answer()]) as server, httpx.Client(base_url=server.url) as client:
        assert samples(client)["answer"] == 42


def test_a_defect_is_answered_without_its_inside_and_found_in_the_log(
    live: Live, serve: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(live, collectors=[Broken()]) as server, httpx.Client(base_url=server.url) as client:
        response = client.get("/metrics")
        assert response.status_code == 500
        assert response.json()["type"] == "urn:feedmill:problem:internal"
        assert "secret" not in response.text
        request = response.json()["detail"].split()[-1]
        logged = capsys.readouterr()
        assert request in logged.out + logged.err
        assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x", f"Bearer {KEY[:-1]}"]
)
def test_without_the_key_nothing_but_health_is_answered(live: Live, serve: Any, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header.encode()}
    with serve(live, api_key=KEY) as server, httpx.Client(base_url=server.url, headers=headers) as client:
        for path in ("/v1/status", "/metrics", "/docs", "/openapi.json", "/nothing"):
            response = client.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
            assert response.json()["type"] == "urn:feedmill:problem:unauthorized"
        assert client.post("/v1/events", content=b"[").status_code == 401
        assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200


def test_with_the_key_everybody_may_ask_by_any_name(live: Live, serve: Any) -> None:
    key = f"Bearer {KEY}".encode()
    headers = {"Authorization": key, "host": b"feeds.example", "sec-fetch-site": b"cross-site"}
    with serve(live, api_key=KEY) as server, httpx.Client(base_url=server.url, headers=headers) as client:
        assert client.get("/v1/status").status_code == 200


def test_with_the_key_everything_is_answered(live: Live, serve: Any) -> None:
    headers = {"authorization": f"bearer {KEY}".encode()}
    with serve(live, api_key=KEY) as server, httpx.Client(base_url=server.url, headers=headers) as client:
        assert client.get("/v1/status").status_code == 200
        document = client.get("/openapi.json").json()
        assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
        assert document["paths"]["/v1/status"]["get"]["security"] == [{"key": []}]
        assert document["paths"]["/health/live"]["get"]["security"] == []


@pytest.mark.parametrize("name", ["max_body_bytes", "header_seconds", "request_seconds", "max_connections", "workers"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_that_lets_nothing_through_is_no_configuration(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"api.{name}: must be .*, not {value}"):
        ApiConfig(**{name: value})
