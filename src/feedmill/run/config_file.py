"""Adding to `feedmill.toml` what an import proposes. What a person wrote stays as it is, comments and all."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from feedmill.domain.objectives import Action, Objective
from feedmill.run.config import DEFAULT_ACTIONS, Config
from feedmill.stream.files import atomic_write, storage_errors
from feedmill.stream.importing.proposals import Proposal

_FEATURES_HEAD = re.compile(r"^[ \t]*\[[ \t]*features[ \t]*\][ \t]*(#.*)?$", re.MULTILINE)


class Added(msgspec.Struct, frozen=True):
    """What was added to a configuration file."""

    file: str
    actions: list[str]
    objectives: list[str]
    features: list[str]
    by_hand: str = ""
    """What could not be added to the file as it is written, as TOML; empty where everything was."""

    def __bool__(self) -> bool:
        return bool(self.actions or self.objectives or self.features)


def named_actions(path: Path, config: Config) -> dict[str, Action]:
    """The actions that the file names, as they are in force."""
    return {name: config.actions[name] for name in _read(path).get("actions", {}) if name in config.actions}


def add_proposal(path: Path, proposal: Proposal, origin: str) -> Added:
    """Add the actions that the file does not name, objectives where it names none, and lists of features it lacks.

    `origin` says in a comment where they come from. Raises StorageError when the file cannot be written; then it is as
    before.
    """
    present = _read(path)
    wanted: dict[str, dict[str, Any]] = {
        "features": {
            name: list(columns)
            for name, columns in proposal.features.items()
            if name not in present.get("features", {}) and columns
        },
        "actions": {
            name: _plain_action(name, action)
            for name, action in proposal.actions.items()
            if name not in present.get("actions", {})
        },
        "objectives": {}
        if present.get("objectives")
        else {name: _plain_objective(objective) for name, objective in proposal.objectives.items()},
    }
    wanted = {section: entries for section, entries in wanted.items() if entries}
    if not wanted:
        return Added(str(path), [], [], [])
    before = ""
    if path.exists():
        with storage_errors(path):
            before = path.read_text(encoding="utf-8")
    after = _extended(before, wanted, origin)
    if _parsed(after) != _merged(present, wanted):
        return Added(str(path), [], [], [], by_hand=tomli_w.dumps(wanted))
    # The file may be a link into somebody's own folder of settings.
    atomic_write(path.resolve(), after.encode())
    actions, objectives, features = (list(wanted.get(section, {})) for section in ("actions", "objectives", "features"))
    return Added(str(path), actions, objectives, features)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    with storage_errors(path):
        return tomllib.loads(path.read_text(encoding="utf-8"))


def _extended(before: str, wanted: Mapping[str, Mapping[str, Any]], origin: str) -> str:
    """The text with all that is wanted at its end; features go behind the head of their table, if there is one."""
    rest = dict(wanted)
    head = _FEATURES_HEAD.search(before)
    if head and "features" in rest:
        before = f"{before[: head.end()]}\n{tomli_w.dumps(rest.pop('features')).rstrip()}{before[head.end() :]}"
    if not rest:
        return before
    start = f"{before.rstrip()}\n\n" if before.strip() else ""
    comment = f"# Proposed by the import of {origin}. Change it as you like: imports only add what is missing.\n"
    return f"{start}{comment}{tomli_w.dumps(rest)}"


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _merged(present: Mapping[str, Any], wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {**present, **{section: {**present.get(section, {}), **entries} for section, entries in wanted.items()}}


def _plain_action(name: str, action: Action) -> dict[str, Any]:
    # The file lies over the defaults field by field, so what differs from them has to be in it.
    return _differences(action, DEFAULT_ACTIONS.get(name, Action()), ("meaning",))


def _plain_objective(objective: Objective) -> dict[str, Any]:
    return _differences(objective, Objective(objective.action), ("action", "weight"))


def _differences(value: msgspec.Struct, base: msgspec.Struct, always: Iterable[str]) -> dict[str, Any]:
    ours, theirs = msgspec.to_builtins(value), msgspec.to_builtins(base)
    return {name: field for name, field in ours.items() if name in always or field != theirs[name]}
