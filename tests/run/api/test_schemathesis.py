"""Whatever comes that the document describes, or nearly: the answer is as the document declares it, and never a 500."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/x-ndjson")
def _lines(context: schemathesis.SerializationContext, value: object) -> bytes:
    return value.encode(errors="surrogatepass") if isinstance(value, str) else b""


def hold_to_the_document(url: str, cases: int, *, wrong_queries: bool) -> int:
    """Send about so many cases, half of them wrong on purpose; how many there were.

    `wrong_queries`: also where there is no body to be wrong, for which it takes Hypothesis half a minute to think of
    anything.
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    sent = 0

    def send(case: Any) -> None:
        nonlocal sent
        sent += 1
        case.call_and_validate(checks=CHECKS, timeout=30)

    for operation in operations:
        modes = list(GenerationMode) if operation.body or wrong_queries else [GenerationMode.POSITIVE]
        for mode in modes:
            try:
                strategy = operation.as_strategy(generation_mode=mode)
                hypothesis.settings(
                    max_examples=-(-cases // (2 * len(operations))),
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                )(hypothesis.given(case=strategy)(send))()
            except hypothesis.errors.Unsatisfiable:
                # Where there is nothing but an id in the path, no text is wrong that a path can hold.
                assert mode is GenerationMode.NEGATIVE
                assert not operation.body
    return sent


def test_every_answer_is_as_declared(served: Any) -> None:
    assert hold_to_the_document(served.url, 100, wrong_queries=False) >= 50


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_every_answer_of_2000_is_as_declared(served: Any) -> None:
    assert hold_to_the_document(served.url, 3_200, wrong_queries=True) >= 2_000
