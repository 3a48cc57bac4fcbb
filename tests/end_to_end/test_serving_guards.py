"""A served home whose clicks are turned round: serving stays on what was good, says so, and can be rolled back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from feedmill.domain.records import Record
from feedmill.testing.command_line import run_process
from feedmill.testing.poisoned_log import BAD, first_bad, poisoned_log
from feedmill.testing.serving import Serving, serving, wait_for

RECORDS = poisoned_log()
FIRST_BAD = first_bad(RECORDS)
SETTINGS = (
    "holdout.share=0", "training.batch=32", "training.snapshot_steps=10", "training.keep_snapshots=3",
    "ranker.linear_learning_rate=0.3", "ranker.vector_learning_rate=0.3", "ranker.dense_learning_rate=0.01",
    "guard.window=250", "guard.baseline=8",
)  # fmt: skip
SET = tuple(word for one in SETTINGS for word in ("--set", one))


def body(record: Record) -> dict[str, Any]:
    shown = {"kind": "seen", "user_id": record.subject, "item_id": record.object, "timestamp": record.timestamp}
    return {**shown, "outcomes": dict(record.outcomes or {})}


def post(served: Serving, records: list[Record]) -> None:
    events = [body(record) for record in records if record.kind == "seen"]
    for start in range(0, len(events), 1_000):
        served.post("/v1/events", events[start : start + 1_000])


def metric(served: Serving, name: str) -> float:
    lines = served.ask("GET", "/metrics").body.decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def step(served: Serving) -> int:
    return int(served.get("/v1/status")["freshness"]["parameters_step"])


def versions(home: Path) -> list[dict[str, Any]]:
    answer = run_process("versions", "--home", home, "--json", *SET)
    assert answer.code == 0, answer.stderr
    found: list[dict[str, Any]] = answer.json["versions"]
    return found


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_serving_stays_on_the_last_good_version_until_a_rollback(spoiled: Path) -> None:
    with serving(spoiled, *SET) as served:
        served.post("/v1/items", [{"item_id": f"i{n}"} for n in range(60)])
        post(served, RECORDS[:FIRST_BAD])
        served.wait_until_learned()
        assert served.get("/v1/status")["held"] is None
        assert served.get("/health/ready") == {"ready": True, "missing": [], "held": ""}
        good = versions(spoiled)[-1]
        assert not good["held"]
        assert good["objectives"]["click"]["auc"] > 0.75

        post(served, RECORDS[FIRST_BAD : FIRST_BAD + BAD])
        wait_for(lambda: served.get("/v1/status")["held"] is not None, 60)
        # A snapshot of what is held back: nothing more is on its way.
        wait_for(lambda: versions(spoiled)[-1]["held"], 60)
        stays = step(served)
        ready = served.get("/health/ready")
        assert ready["ready"]
        assert ready["held"].startswith("New parameters are held back since 20")
        assert "click: AUC" in ready["held"]
        assert metric(served, "feedmill_publishing_held") == 1
        told = run_process("status", "--home", spoiled, *SET)
        assert "New parameters are held back" in told.stdout
        assert "held back" in served.said()

        for part in ("trainer", "server"):
            served.kill(part)  # type: ignore[arg-type]
            served.wait_until_ready()
            wait_for(lambda: served.get("/v1/status")["held"] is not None, 60)
            assert step(served) == stays

        answer = run_process("rollback", "--home", spoiled, "--to", good["version"], "--json", *SET)
        assert answer.code == 0, answer.stderr
        assert answer.json["to"] == good["version"]
        wait_for(lambda: step(served) == answer.json["version"], 60)
        status = served.get("/v1/status")
        assert (status["held"], status["trainer_lag"]) == (None, 0)
        assert metric(served, "feedmill_publishing_held") == 0

        refused = run_process("rollback", "--home", spoiled, "--to", 7, "--json", *SET)
        assert refused.code == 1
        assert "there is no version 7; there are: " in refused.json["error"]["message"]

    # Of a home that nobody serves.
    again = run_process("rollback", "--home", spoiled, "--to", good["version"], "--relearn", "--json", *SET)
    assert again.code == 0, again.stderr
    assert again.json["position"] == good["position"]
    newest = versions(spoiled)[-1]
    assert (newest["version"], newest["position"]) == (again.json["version"], good["position"])
