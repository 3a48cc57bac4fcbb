from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from feedmill.domain.errors import ConfigError
from feedmill.domain.objectives import Action, Objective
from feedmill.run.config import DEFAULT_ACTIONS, Config, load_config
from feedmill.run.config_layers import dump_json, dump_toml, load_layers


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    minutes: int = 30
    surface: str = "feed"
    ratio: float | None = None
    layers: tuple[int, ...] = (64, 32)


class Tree(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A root that is not Feedmill's own: the mechanism knows nothing of its sections."""

    window: Window = Window()
    actions: dict[str, Action] = msgspec.field(default_factory=dict)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feedmill.toml"


def test_without_a_file_the_defaults_are_in_force(path: Path) -> None:
    config = load_config(path)
    assert config == Config()
    assert list(config.objectives) == ["click", "long_view", "like"]
    assert config.actions["rating"].threshold == 3.5
    assert config.actions["hate"].meaning == "negative"
    assert config.actions["hate"].hides


def test_arguments_win_over_the_environment_which_wins_over_the_file(path: Path) -> None:
    path.write_text("[actions.rating]\nthreshold = 1.0\nrepeats = 'max'\nhides = true\n")
    config = load_config(
        path,
        environment={
            "FEEDMILL__ACTIONS__RATING__THRESHOLD": "2",
            "FEEDMILL__ACTIONS__RATING__REPEATS": "sum",
            "FEEDMILL_DATA": "somewhere",
            "HOME": "/",
        },
        arguments=["actions.rating.threshold=3"],
    )
    assert config.actions["rating"] == Action("positive", "sum", 3.0, True, True)


def test_the_environment_finds_names_whatever_their_case(path: Path) -> None:
    path.write_text("[actions.WatchedToEnd]\nmeaning = 'neutral'\n")
    config = load_config(path, environment={"FEEDMILL__ACTIONS__WATCHEDTOEND__MEANING": "positive"})
    assert config.actions["WatchedToEnd"].meaning == "positive"


def test_a_file_that_names_one_action_keeps_the_default_ones(path: Path) -> None:
    path.write_text("[actions.applaud]\nmeaning = 'positive'\n")
    assert load_config(path).actions == {**DEFAULT_ACTIONS, "applaud": Action("positive")}


def test_a_file_that_names_one_objective_names_them_all(path: Path) -> None:
    path.write_text("[objectives.watch]\naction = 'view'\nkind = 'regression'\nscale = 30\n")
    assert load_config(path).objectives == {"watch": Objective("view", "regression", scale=30.0)}


def test_an_argument_may_carry_a_whole_table_and_quoted_names() -> None:
    config = load_config(arguments=["actions.'a.b'={meaning = 'negative', hides = true}"])
    assert config.actions["a.b"] == Action("negative", hides=True)


def test_what_is_dumped_as_toml_is_read_back_as_the_same(path: Path) -> None:
    config = load_config(arguments=["actions.'é\"\\n'.threshold=1e-9", "objectives.click.weight=0.1"])
    path.write_text(dump_toml(config))
    assert load_config(path) == config
    assert "threshold = 1e-09" in path.read_text(), "nothing that is in force is left out"


def test_what_is_dumped_as_json_holds_every_setting() -> None:
    tree = json.loads(dump_json(Config()))
    assert tree["actions"]["rating"]["threshold"] == 3.5
    assert set(tree["actions"]["rating"]) == set(Action.__struct_fields__)
    assert msgspec.convert(tree, Config) == Config()


def test_sections_of_another_root_are_read_the_same_way(path: Path) -> None:
    path.write_text("[window]\nlayers = [8]\n")
    tree = load_layers(Tree, path, environment={"FEEDMILL__WINDOW__SURFACE": "7"}, arguments=["window.ratio=1"])
    assert tree == Tree(window=Window(surface="7", ratio=1.0, layers=(8,)))
    path.write_text(dump_toml(tree))
    assert load_layers(Tree, path) == tree


def test_a_setting_that_is_none_is_left_out_of_the_toml(path: Path) -> None:
    path.write_text(dump_toml(Tree()))
    assert "ratio" not in path.read_text()
    assert load_layers(Tree, path) == Tree()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[acitons.like]", "unknown key acitons in {path}; did you mean actions?"),
        ("[actions.like]\ntreshold = 1", "unknown key actions.like.treshold in {path}; did you mean threshold?"),
        (
            "xyz = 1",
            "unknown key xyz in {path};"
            " known here: actions, objectives, features, join, ranker, retrieval, training, feed, holdout, engagement,"
            " serving, api, sync, guard",
        ),
        ("[actions.like]\nthreshold = 'a'", "actions.like.threshold in {path}: expected float, got str"),
        ("[actions.like]\nthreshold = nan", "actions.like.threshold in {path}: must be a finite number, not nan"),
        (
            "[actions.like]\nmeaning = 'good'",
            "actions.like.meaning in {path}: must be one of 'positive', 'negative', 'neutral'",
        ),
        ("actions = 3", "actions in {path}: expected a table, got int"),
        ("[objectives.x]\nweight = 1", "objectives.x in {path}: lacks the key action"),
        (
            "[objectives.x]\naction = 'lke'",
            "{path}: objectives.x.action: no action is called 'lke'; did you mean like?",
        ),
        (
            "[objectives.x]\naction = 'like'\nscale = 0",
            "{path}: objectives.x.scale: must be above 0, not 0.0",
        ),
        (
            "[objectives.x]\naction = 'like'\nwindow_minutes = -1",
            "{path}: objectives.x.window_minutes: -1.0 must lie between 0 and 1,000,000",
        ),
        ("[objectives]", "{path}: objectives: none is configured; the ranker needs at least one"),
    ],
)
def test_an_error_names_the_key_and_the_file(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value) == message.format(path=path)


def test_an_error_names_the_environment_variable() -> None:
    with pytest.raises(ConfigError, match="FEEDMILL__ACTIONS__LIKE__HIDES: expected bool, got str"):
        load_config(environment={"FEEDMILL__ACTIONS__LIKE__HIDES": "perhaps"})


def test_an_error_names_the_argument() -> None:
    with pytest.raises(ConfigError, match=r"unknown key objectives\.click\.wieght in the arg.* mean weight\?"):
        load_config(arguments=["objectives.click.wieght=2"])


@pytest.mark.parametrize("argument", ["", "like", "=1", "a..b=1", "a\nb=1", "a = 1\nb=1"])
def test_an_argument_without_a_key_and_a_value_is_refused(argument: str) -> None:
    with pytest.raises(ConfigError):
        load_config(arguments=[argument])


@pytest.mark.parametrize("content", [b"[actions", b"\xff\xfe", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_refused_by_name(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"feedmill\.toml: not"):
        load_config(path)


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_an_objective_with_a_weight_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"objectives\.x\.weight: must be a finite number"):
        Config(objectives={"x": Objective("like", weight=float("inf"))})
