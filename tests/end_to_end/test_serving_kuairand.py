"""A published data set, served: ready in seconds, pages for anybody, and a like that counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feedmill.measure.monitoring.arms import HoldoutConfig
from feedmill.testing.command_line import run_process
from feedmill.testing.serving import Serving, serving, wait_for

MOST_ACTIVE = "23471"


@pytest.fixture(scope="module")
def served(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """KuaiRand as it was imported: the trainer has seen nothing of it yet."""
    home = tmp_path_factory.mktemp("kuairand") / "home"
    assert run_process("import", "kuairand", data_dir / "kuairand", "--home", home).code == 0
    with serving(home) as opened:
        print(f"ready after {opened.ready_seconds:.2f} s")
        yield opened


def ids(page: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in page["items"]]


def personal(*users: str) -> list[str]:
    """Those who are not held out."""
    return [user for user in users if HoldoutConfig().arm_of(user) == "feedmill"]


def test_it_is_ready_and_learns_all_that_was_imported(served: Serving) -> None:
    status = served.get("/v1/status")
    assert (status["starting"], status["refused"]) == ("", [])
    assert (status["users"], status["items"]) == (27_285, 7_583)
    served.wait_until_learned(120)
    assert served.get("/v1/status")["freshness"]["parameters_step"] > 0


def test_anybody_gets_twenty_different_items_with_reasons(served: Serving) -> None:
    for user in ("0", "5", MOST_ACTIVE, "never heard of", "δοκιμή/1"):
        page = served.feed(user)
        assert len(set(ids(page))) == 20
        assert all(item["why"] for item in page["items"])
        assert page["note"] == ""


def test_a_like_changes_the_next_page(served: Serving) -> None:
    (user, *_) = personal("newcomer-1", "newcomer-2")
    page = served.feed(user)
    liked = ids(page)[0]
    served.post("/v1/events", {"user_id": user, "item_id": liked, "action": "like", "request_id": page["request_id"]})
    after = served.feed(user)
    assert liked not in ids(after)
    assert len(set(ids(after)) - set(ids(page))) >= 2
    # What is like the one that was liked is there, and says so.
    assert {"liked", "co_visitation", "two_tower"} & {source for item in after["items"] for source in item["sources"]}


def test_explain_is_complete(served: Serving) -> None:
    (user, *_) = personal(MOST_ACTIVE, "0", "5")
    page = served.feed(user)
    explained = served.get(f"/v1/explain/{page['request_id']}")
    assert explained["items"] == page["items"]
    assert explained["note"] == ""
    assert explained["trace"]["candidates"] >= 100
    outcomes: dict[str, int] = {}
    for number in range(0, 7_583, 50):
        fate = served.get(f"/v1/explain/{page['request_id']}?item_id={number}")["item"]
        assert fate["sentence"]
        assert (fate["outcome"] == "shown") == (str(number) in ids(page))
        outcomes[fate["outcome"]] = outcomes.get(fate["outcome"], 0) + 1
    for item in page["items"]:
        fate = served.get(f"/v1/explain/{page['request_id']}?item_id={item['item_id']}")["item"]
        assert (fate["outcome"], fate["rank"]) == ("shown", item["position"])
    assert outcomes["not_a_candidate"] > 0
    assert served.ask("GET", f"/v1/explain/{page['request_id']}?item_id=no-such-item").status == 404


def test_it_starts_again_from_what_was_learned(served: Serving) -> None:
    served.wait_until_learned(120)
    before = served.get("/v1/status")
    wait_for(lambda: list((served.home / "snapshots").glob("*/manifest*")))
    assert served.kill("server")
    seconds = served.wait_until_ready()
    print(f"ready again after {seconds:.2f} s")
    after = served.get("/v1/status")
    assert after["log_end"] >= before["log_end"]
    assert after["freshness"]["parameters_step"] >= before["freshness"]["parameters_step"]
    assert after["refused"] == []
