"""`feedmill config`: prints what is in force, and refuses what does not exist."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from feedmill.run.config import Config, load_config


def test_what_is_printed_can_be_read_back(feedmill, tmp_path: Path) -> None:
    answer = feedmill("config", "--home", tmp_path)
    path = tmp_path / "feedmill.toml"
    path.write_text(answer.stdout)
    assert load_config(path) == Config()
    assert msgspec.json.decode(feedmill("config", "--home", tmp_path, "--json").stdout, type=Config) == Config()


def test_file_environment_and_arguments_lie_over_each_other(feedmill, tmp_path: Path) -> None:
    (tmp_path / "feedmill.toml").write_text("[training]\nseed = 1\nbatch = 32\nsnapshot_steps = 7\n")
    words = ("config", "--home", tmp_path, "--json", "--set", "training.batch=64", "training.seed=4")
    found = json.loads(feedmill(*words, FEEDMILL__TRAINING__SEED="2", FEEDMILL__TRAINING__SNAPSHOT_STEPS="8").stdout)
    assert (found["training"]["seed"], found["training"]["batch"], found["training"]["snapshot_steps"]) == (4, 64, 8)


def test_looking_at_the_configuration_makes_no_home(feedmill, tmp_path: Path) -> None:
    assert feedmill("config", "--home", tmp_path / "home").code == 0
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("training.sed=1", "unknown key training.sed in the argument 'training.sed=1'; did you mean seed?"),
        ("training.seed=x", "training.seed in the argument 'training.seed=x': expected int, got str"),
        ("training.seed", "the argument 'training.seed' is not of the form section.key=value"),
        ("training.batch=0", "training.batch: 0 must be at least 1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_key(feedmill, tmp_path: Path, word: str, says: str) -> None:
    for words in ((word,), ("--set", word)):
        answer = feedmill("config", "--home", tmp_path, *words)
        assert (answer.code, answer.stdout) == (1, "")
        assert says in answer.stderr
