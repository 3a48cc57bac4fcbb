"""Reading a configuration: one typed tree, laid over its defaults layer by layer.

    [actions.like]
    meaning = "positive"

    FEEDMILL__ACTIONS__LIKE__MEANING=positive        two underscores between the parts; case does not matter
    actions.like.meaning=positive                    as an argument

Tables with names of the application's own (`actions`) keep the default entries that a file does not name, unless their
type is marked `ReplacedByFile`: then a file that names any names them all.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import msgspec
import tomli_w

from feedmill.domain.errors import ConfigError

ENVIRONMENT_PREFIX = "FEEDMILL__"

_REPLACED_BY_FILE = "replaced_by_file"
REPLACED_BY_FILE = msgspec.Meta(extra={_REPLACED_BY_FILE: True})
"""Marks a table whose defaults are dropped when a file has entries of its own."""

Root = TypeVar("Root", bound=msgspec.Struct)


def load_layers(
    root: type[Root],
    path: Path | None = None,
    *,
    environment: Mapping[str, str] = {},
    arguments: Sequence[str] = (),
) -> Root:
    """The configuration in force.

    `path` need not exist; `environment` is usually `os.environ`; `arguments` are texts of the form `section.key=value`.
    Raises ConfigError, naming the key and where it stands, for a key that does not exist and for a value of the wrong
    type.
    """
    tree: dict[str, Any] = msgspec.to_builtins(root())
    if path is not None and path.exists():
        layer = _check(_read(path), root, "", str(path))
        for field in msgspec.structs.fields(root):
            if field.name in layer and _is_replaced_by_file(field.type):
                del tree[field.name]
        _overlay(tree, layer)
    for variable in sorted(environment):
        if variable.startswith(ENVIRONMENT_PREFIX):
            keys = variable.removeprefix(ENVIRONMENT_PREFIX).split("__")
            _set(tree, keys, environment[variable], root, f"the environment variable {variable}", fold_case=True)
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise ConfigError(f"the argument {argument!r} is not of the form section.key=value")
        _set(tree, _split(key, argument), value, root, f"the argument {argument!r}", fold_case=False)
    return cast(Root, _build(tree, root, path))


def dump_toml(config: msgspec.Struct) -> str:
    """The whole of a configuration as TOML, which `load_layers` reads back as an equal one.

    TOML has no null: a setting that is None is left out, so None has to be its default.
    """
    return tomli_w.dumps(_without_none(msgspec.to_builtins(config)))


def dump_json(config: msgspec.Struct) -> str:
    """The whole of a configuration as one line of JSON."""
    return msgspec.json.encode(config).decode()


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def _split(key: str, argument: str) -> list[str]:
    """The parts of a dotted key, where a part may be quoted as in TOML."""
    try:
        tree: Any = tomllib.loads(f"{key} = 0")
        keys = []
        while isinstance(tree, dict):
            ((part, tree),) = tree.items()
            keys.append(part)
    except ValueError:
        raise ConfigError(f"the argument {argument!r} is not of the form section.key=value") from None
    return keys


def _set(
    tree: dict[str, Any], keys: Sequence[str], text: str, root: type[Any], source: str, *, fold_case: bool
) -> None:
    """Put one value, given as text, at its key."""
    expected: Any = root
    node: Any = tree
    path = []
    for key in keys:
        known = _keys(expected, node)
        if fold_case:
            key = next((name for name in known if name.lower() == key.lower()), key.lower())
        path.append(key)
        expected = _child(expected, key, path, known, source)
        node = node.get(key, {}) if isinstance(node, dict) else {}
    layer: Any = _check(_parse(text, expected), expected, ".".join(path), source)
    for key in reversed(path):
        layer = {key: layer}
    _overlay(tree, layer)


def _parse(text: str, expected: Any) -> Any:
    """A value from the environment or an argument: written as in TOML, but text needs no quotes."""
    if not _is_text(expected):
        with contextlib.suppress(ValueError):
            ((_, value),) = tomllib.loads(f"value = {text}").items()
            return value
    return text


def _check(value: Any, expected: Any, key: str, source: str) -> Any:
    """The value, if every key in it is known and every leaf has its type."""
    expected = _plain(expected)
    if isinstance(value, dict) and (_is_struct(expected) or typing.get_origin(expected) is dict):
        known = _keys(expected, value)
        checked = {}
        for name, inner in value.items():
            path = [*([key] if key else []), name]
            checked[name] = _check(inner, _child(expected, name, path, known, source), ".".join(path), source)
        return checked
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{key} in {source}: {_say(error, expected)}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{key} in {source}: must be a finite number, not {value}")
    return value


def _child(expected: Any, key: str, path: Sequence[str], known: Sequence[str], source: str) -> Any:
    """The type of what stands under `key`."""
    expected = _plain(expected)
    if typing.get_origin(expected) is dict:
        return typing.get_args(expected)[1]
    for field in msgspec.structs.fields(expected) if _is_struct(expected) else ():
        if field.name == key:
            return field.type
    raise ConfigError(f"unknown key {'.'.join(path)} in {source}{suggest(key, known)}")


def _keys(expected: Any, node: Any) -> list[str]:
    expected = _plain(expected)
    if _is_struct(expected):
        return [field.name for field in msgspec.structs.fields(expected)]
    return list(node) if isinstance(node, dict) else []


def _build(tree: dict[str, Any], root: type[Any], path: Path | None) -> Any:
    source = str(path) if path is not None else "the configuration"
    # Entries of tables first and one by one: msgspec does not say in which entry of a table a field is missing.
    for field in msgspec.structs.fields(root):
        expected = _plain(field.type)
        if typing.get_origin(expected) is dict:
            for name, entry in tree.get(field.name, {}).items():
                try:
                    msgspec.convert(entry, typing.get_args(expected)[1])
                except msgspec.ValidationError as error:
                    raise ConfigError(f"{field.name}.{name} in {source}: {_say(error)}") from None
    try:
        return msgspec.convert(tree, root)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {_say(error)}") from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def _overlay(tree: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _overlay(tree[key], value)
        else:
            tree[key] = value


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value


def suggest(key: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if nearest:
        return f"; did you mean {nearest[0]}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _say(error: msgspec.ValidationError, expected: Any = None) -> str:
    if typing.get_origin(expected) is typing.Literal:
        return f"must be one of {', '.join(map(repr, typing.get_args(expected)))}"
    text = str(error).replace("`", "").replace("$.", "")
    for theirs, ours in (("Object missing required field", "lacks the key"), ("object", "a table")):
        text = text.replace(theirs, ours)
    return text[:1].lower() + text[1:]


def _plain(expected: Any) -> Any:
    while typing.get_origin(expected) is Annotated:
        expected = typing.get_args(expected)[0]
    return expected


def _is_struct(expected: Any) -> bool:
    return isinstance(expected, type) and issubclass(expected, msgspec.Struct)


def _is_text(expected: Any) -> bool:
    expected = _plain(expected)
    if typing.get_origin(expected) is typing.Literal:
        return all(isinstance(value, str) for value in typing.get_args(expected))
    return expected is str


def _is_replaced_by_file(expected: Any) -> bool:
    extra = next((part.extra for part in typing.get_args(expected) if isinstance(part, msgspec.Meta)), None)
    return bool(extra) and bool(cast(dict[str, Any], extra).get(_REPLACED_BY_FILE))
