"""The reference of the HTTP API is true: its commands run, one after another, and are answered as it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BLOCK = re.compile(r"```sh\n((?:URL=|curl ).*?)```(?:\n+```json\n(.*?)```)?", re.DOTALL)


def shape(value: Any) -> Any:
    """What a program relies on: names and kinds, and which kinds there are in a list."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items() if name not in {"predictions", "missing"}}
    if isinstance(value, list):
        return sorted({json.dumps(shape(inner), sort_keys=True) for inner in value})
    return type(value).__name__ if isinstance(value, bool | str) else "number or null"


def test_every_command_of_the_reference_is_answered_as_it_says(served: Any, root: Path, require: Any) -> None:
    require("curl", shutil.which("curl") is not None, "there is no curl")
    text = (root / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    found = BLOCK.findall(text)
    assert len(found) == text.count("```sh\n")
    wrong = []
    for command, expected in found:
        done = subprocess.run(
            ["sh", "-c", f"URL={served.url}\n{command.replace('URL=http://127.0.0.1:8000', '')}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        if expected and shape(json.loads(done.stdout)) != shape(json.loads(expected)):
            wrong.append(f"{command}{done.stdout}")
    assert wrong == []


@pytest.mark.parametrize(("left", "right", "same"), [({"a": 1}, {"a": None}, True), ([{"a": ""}], [{"b": ""}], False)])
def test_the_checker_compares_shapes(left: Any, right: Any, same: bool) -> None:
    assert (shape(left) == shape(right)) is same
