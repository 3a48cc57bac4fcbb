"""`feedmill train`: learns what is new, once."""

from __future__ import annotations

from pathlib import Path

from feedmill.run.engine import Engine


def test_training_reports_what_was_learned_and_how_well_it_was_predicted(feedmill, home: Path) -> None:
    answer = feedmill("train", "--home", home, "--json")
    assert answer.code == 0
    report = answer.json
    # 60 items, then 3,000 impressions, 256 records a step.
    assert (report["steps"], report["examples"], report["position"]) == (12, 3000, 3060)
    assert Path(report["snapshot"]) == home / "snapshots" / "000000000012"
    assert Path(report["snapshot"]).is_dir()
    assert report["rows_per_second"] == report["examples"] / report["seconds"]
    progressive = report["progressive"]
    assert (progressive["rows"], progressive["first"], progressive["last"]) == (
        3000,
        "2023-11-14T22:13:20Z",
        "2023-11-14T23:03:19Z",
    )
    assert progressive["objectives"]["click"]["rows"] == 3000
    assert 0.5 < progressive["objectives"]["click"]["auc"] < 1


def test_training_again_learns_only_what_is_new(feedmill, home: Path, tmp_path: Path) -> None:
    feedmill("train", "--home", home)
    assert "Nothing new" in feedmill("train", "--home", home).stdout
    more = tmp_path / "more.csv"
    more.write_text("user_id,item_id,timestamp,is_click,device\nu1,i1,1700009999000,1,tv\nu2,i1,1700009999001,0,tv\n")
    feedmill("import", "events", more, "--home", home)
    report = feedmill("train", "--home", home, "--json").json
    assert (report["steps"], report["examples"], report["position"]) == (1, 2, 3062)


def test_what_was_learned_with_another_configuration_is_put_aside_in_words_and_taken_up_again(
    feedmill, home: Path
) -> None:
    feedmill("train", "--home", home)
    answer = feedmill("train", "--home", home, "--set", "ranker.dimension=4", "--json")
    assert "made with another configuration" in answer.stderr
    assert answer.json["examples"] == 3000
    assert feedmill("train", "--home", home, "--json").json["examples"] == 0


def test_the_level_of_the_logs_is_configurable(feedmill, home: Path) -> None:
    feedmill("train", "--home", home)
    words = ("train", "--home", home, "--set", "ranker.dimension=4")
    assert feedmill(*words, FEEDMILL_LOG="error").stderr == ""
    refused = feedmill(*words, FEEDMILL_LOG="loud")
    assert (refused.code, refused.stderr) == (
        1,
        "feedmill: FEEDMILL_LOG: must be one of debug, info, warning, error, not 'loud'\n",
    )


def test_a_home_that_another_process_trains_is_left_to_it(feedmill, home: Path) -> None:
    with Engine.open(home, environment={}) as engine:
        assert engine.trainer.position == 0
        answer = feedmill("train", "--home", home)
    assert answer.code == 1
    assert "is training in this home" in answer.stderr
    assert feedmill("train", "--home", home).code == 0


def test_a_range_is_learned_and_the_next_run_goes_on_where_it_ended(feedmill, home: Path) -> None:
    ranged = feedmill("train", "--home", home, "--from", "1000", "--until", "2000", "--json").json
    # The impressions behind record 1,000, in steps of 256 of which the fourth reaches record 2,000.
    assert (ranged["examples"], ranged["position"]) == (1024, 2024)
    rest = feedmill("train", "--home", home, "--json").json
    assert (rest["examples"], rest["position"]) == (3060 - 2024, 3060)
    refused = feedmill("train", "--home", home, "--from", "10")
    assert refused.code == 1
    assert "position 10: the log was learned up to position 3,060 already" in refused.stderr


def test_the_examples_of_a_home_are_those_that_its_trainer_learns(feedmill, home: Path, tmp_path: Path) -> None:
    report = feedmill("examples", "--home", home, "--output", tmp_path / "examples", "--until", "2000", "--json").json
    assert (report["rows"], report["first"], report["until"]) == (2048 - 60, 0, 2048)
    assert feedmill("train", "--home", home, "--until", "2000", "--json").json["examples"] == report["rows"]
    again = feedmill("examples", "--home", home, "--output", tmp_path / "examples")
    assert again.stdout.startswith("3,000 examples of the positions 0 to 3,060")
