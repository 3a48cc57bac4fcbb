"""The OpenAPI document, its page and the reference are complete, and their examples are what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from feedmill.run.api.app import make_app
from feedmill.run.api.schemas import EVENT_EXAMPLE, ITEM_EXAMPLE, SEEN_EXAMPLE, USER_EXAMPLE
from feedmill.run.local.live import Live

REF = re.compile(r"#/components/schemas/(\w+)")


@pytest.fixture(scope="module")
def document(live: Live) -> Mapping[str, Any]:
    return make_app(live, api_key="key").openapi()


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for answer in operation["responses"].values():
        yield from answer["content"].values()
    for parameter in operation["parameters"]:
        yield from parameter.get("content", {"": parameter}).values()


def test_every_route_of_the_application_is_in_the_document(live: Live, document: Mapping[str, Any]) -> None:
    routes = {f"{method} {route.path}" for route in make_app(live).routes for method in route.methods}  # type: ignore[attr-defined]
    assert routes == {name for name, _ in operations(document)} | {"GET /openapi.json", "GET /docs"}


def test_every_example_is_what_its_schema_says(document: Mapping[str, Any]) -> None:
    wrong = []
    for name, operation in operations(document):
        for content in contents(operation):
            whole = {**content["schema"], "components": document["components"]}
            found = [
                error.message for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(content["example"])
            ]
            wrong += [f"{name}: {message}" for message in found]
    assert wrong == []


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to(document: Mapping[str, Any]) -> None:
    assert set(REF.findall(str(document))) == set(document["components"]["schemas"])


def test_the_examples_are_accepted(client: httpx.Client) -> None:
    said = client.post("/v1/events", json=[EVENT_EXAMPLE, SEEN_EXAMPLE]).json()
    assert (said["accepted"], said["rejected"]) == (2, 0)
    assert client.post("/v1/items", json=[ITEM_EXAMPLE]).json()["rejected"] == 0
    assert client.post("/v1/users", json=[USER_EXAMPLE]).json()["rejected"] == 0


def test_the_page_shows_every_route_and_loads_nothing(client: httpx.Client, document: Mapping[str, Any]) -> None:
    response = client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    headings = re.findall(r"<h2><span[^>]*>(\w+)</span><code>([^<]*)</code></h2>", response.text)
    assert [f"{method} {path}" for method, path in headings] == [name for name, _ in operations(document)]
    targets = re.findall(r"(?:src|href)=\"?([^\"> ]+)", response.text)
    inside = {f"#{section}" for section in re.findall(r"<section id=\"([^\"]+)\"", response.text)}
    assert set(targets) == {"openapi.json", *inside}
    assert "<script" not in response.text


def test_every_route_is_in_the_reference(live: Live, root: Path) -> None:
    reference = (root / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^#+ `([A-Z]+ /\S*)`$", reference, re.MULTILINE))
    assert headings == {f"{method} {route.path}" for route in make_app(live).routes for method in route.methods}  # type: ignore[attr-defined]
