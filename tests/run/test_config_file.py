"""An import adds to the configuration what is missing, and changes nothing that is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from feedmill.domain.objectives import Action, Objective
from feedmill.run.config import load_config
from feedmill.run.config_file import Added, add_proposal, named_actions
from feedmill.stream.importing.kuairand import ACTIONS, FEATURES, OBJECTIVES
from feedmill.stream.importing.proposals import Proposal

PROPOSAL = Proposal(
    {"like": Action("positive"), "odd name!": Action("negative", hides=True)},
    {"like": Objective("like", weight=2.0)},
    {"context": ("surface", "device")},
)


def test_what_is_added_is_what_is_then_in_force(tmp_path: Path) -> None:
    path = tmp_path / "feedmill.toml"
    add_proposal(path, Proposal(ACTIONS, OBJECTIVES, FEATURES), "kuairand")
    config = load_config(path)
    assert {name: config.actions[name] for name in ACTIONS} == ACTIONS
    assert config.objectives == OBJECTIVES
    assert config.features.user_attributes == FEATURES["user_attributes"]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "[features]\nsmoothing = 5.0",
        "# all mine\n[ features ] # really\nsmoothing = 5.0\n\n[training]\nseed = 1\n",
        "[training]\nseed = 1\n",
        "[actions.view]\nmeaning = 'neutral'\n",
    ],
)
def test_a_file_keeps_every_line_that_it_had(tmp_path: Path, before: str) -> None:
    path = tmp_path / "feedmill.toml"
    path.write_text(before)
    added = add_proposal(path, PROPOSAL, "events.csv")
    assert added == Added(str(path), ["like", "odd name!"], ["like"], ["context"])
    after = path.read_text()
    rest = iter(after.splitlines())
    assert all(line in rest for line in before.rstrip().splitlines())
    config = load_config(path)
    assert config.actions["odd name!"] == Action("negative", hides=True)
    assert config.features.context == ("surface", "device")
    for section, entries in tomllib.loads(before).items():
        assert entries.items() <= tomllib.loads(after)[section].items()


def test_settings_that_the_file_has_are_not_proposed_again(tmp_path: Path) -> None:
    path = tmp_path / "feedmill.toml"
    path.write_text(
        "[features]\ncontext = []\ngroups = []\ncrosses = []\n[actions.like]\nmeaning = 'negative'\n"
        "[objectives.mine]\naction = 'like'\n"
    )
    before = path.read_text()
    added = add_proposal(path, PROPOSAL, "events.csv")
    assert (added.actions, added.objectives, added.features) == (["odd name!"], [], [])
    assert path.read_text().startswith(before)
    assert named_actions(path, load_config(path)) == {
        "like": load_config(path).actions["like"],
        "odd name!": Action("negative", hides=True),
    }
    assert not add_proposal(path, PROPOSAL, "events.csv")


def test_a_file_that_cannot_be_added_to_is_left_alone_and_what_to_write_is_told(tmp_path: Path) -> None:
    path = tmp_path / "feedmill.toml"
    before = "actions = { view = { meaning = 'neutral' } }\n"
    path.write_text(before)
    added = add_proposal(path, PROPOSAL, "events.csv")
    assert path.read_text() == before
    assert not added
    assert tomllib.loads(added.by_hand)["actions"]["like"]["meaning"] == "positive"


def test_a_link_to_a_file_elsewhere_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "feedmill.toml"
    real.write_text("[training]\nseed = 1\n")
    link.symlink_to(real)
    add_proposal(link, PROPOSAL, "events.csv")
    assert link.is_symlink()
    assert "like" in tomllib.loads(real.read_text())["actions"]
