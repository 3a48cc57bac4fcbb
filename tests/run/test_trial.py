"""The trial: what is learned from and what is judged by, and what it says of the outcome."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.clock import ManualClock
from feedmill.domain.errors import HomeError, InvalidFile
from feedmill.domain.records import Record
from feedmill.measure.metrics import Interval
from feedmill.run.engine import Engine
from feedmill.run.home import Home
from feedmill.run.trial import Stopped, TrialFile, prepare, run_trial
from feedmill.run.trial_ranking import draw
from feedmill.run.trial_report import RankingComparison, RankingScore, TrialReport, verdict
from feedmill.run.trial_source import EventsAndItems
from feedmill.stream.importing.tabular import TabularSource

NOW = 1_800_000_000_000
START = 1_700_000_000


def quiet(phase: str, done: int, total: int, note: object = None) -> None:
    pass


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def source(path: Path, subject: str = "events") -> TabularSource:
    return TabularSource(path, subject, ManualClock(NOW))  # type: ignore[arg-type]


def ratings(count: int = 100) -> list[str]:
    """A rating an hour, no pair twice: five stars where user and item are both even or both odd, else one."""
    pairs = [(n % 10, n * 7 % 41) for n in range(count)]
    rows = [f"u{u},i{i},{1 if (u + i) % 2 else 5},{START + 3_600 * n}" for n, (u, i) in enumerate(pairs)]
    return ["user,item,rating,timestamp", *rows]


def trial(folder: Path, path: Path, items: Path | None = None) -> TrialReport:
    clock = ManualClock(NOW)
    file = TrialFile(path.name, source(path), None if items is None else source(items, "items"))
    home = Home(folder / "home", clock=clock)
    imported = prepare(home, file, clock, quiet)
    with Engine.open(home.path, environment={}, clock=clock) as engine:
        return run_trial(engine, file, imported, quiet, lambda: False)


def test_the_last_fifth_by_time_is_judged_wherever_it_stands_in_the_file(tmp_path: Path) -> None:
    head, *rows = ratings()
    report = trial(tmp_path, write(tmp_path / "ratings.csv", [head, *reversed(rows)]))
    assert (report.events, report.trained, report.tested, report.users, report.items) == (100, 80, 20, 10, 41)
    # The 81st event happens 80 hours after the first, which was on 2023-11-14 at 22:13:20.
    assert report.split == "2023-11-18T06:13:20Z"
    assert report.notes == []


def test_the_same_file_and_seed_give_the_same_report(tmp_path: Path) -> None:
    path = write(tmp_path / "ratings.csv", ratings())
    reports = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        report = trial(tmp_path / name, path)
        reports.append((report.as_it_goes, report.at_the_split, report.feeds, report.verdict))
    assert reports[0] == reports[1]


def test_what_is_asked_for_is_what_users_like_and_have_not_met(tmp_path: Path) -> None:
    rows = [f"u{n % 8},i{n % 11},5,{START + n}" for n in range(80)]
    # Of the last fifth, u0 likes one item anew and one again, u1 dislikes one, and a newcomer likes one twice.
    last = ["u0,new-1,5", "u0,i0,5", "u1,new-2,1", "u9,i3,5", "u9,i3,4"] + ["u2,new-3,1"] * 15
    rows += [f"{row},{START + 1_000 + n}" for n, row in enumerate(last)]
    report = trial(tmp_path, write(tmp_path / "ratings.csv", ["user,item,rating,timestamp", *rows]))
    assert report.as_it_goes is not None
    assert report.at_the_split is not None
    assert (report.as_it_goes.asked, report.as_it_goes.of) == (2, 2)
    assert (report.at_the_split.asked, report.at_the_split.users, report.at_the_split.known_users) == (2, 2, 1)


def test_where_impressions_are_known_predictions_are_judged_instead_of_lists(tmp_path: Path) -> None:
    rows = [f"u{n % 12},i{n % 20},{START + 60 * n},{int((n % 12 + n % 20) % 3 == 0)}" for n in range(600)]
    report = trial(tmp_path, write(tmp_path / "shown.csv", ["user_id,item_id,timestamp,is_click", *rows]))
    assert report.as_it_goes is None
    assert report.at_the_split is None
    click = report.objectives["click"]
    assert click.feedmill.rows == click.popularity.rows == 120
    assert click.feedmill.positives == sum(row.endswith(",1") for row in rows[480:])
    assert click.auc_difference is not None


def test_titles_come_from_the_file_of_items_and_other_items_keep_their_ids(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", ["item_id,title,genres", *(f"i{n},Film {n},a|b" for n in range(40))])
    report = trial(tmp_path, write(tmp_path / "ratings.csv", ratings()), items)
    assert [feed.who for feed in report.feeds] == ["the busiest", "a typical one", "a new one"]
    titles = {item.item_id: item.title for feed in report.feeds for item in feed.items}
    assert all(title == (name if name == "i40" else f"Film {name[1:]}") for name, title in titles.items())


def test_an_item_that_is_described_is_not_described_again_by_its_id_alone(tmp_path: Path) -> None:
    events = write(tmp_path / "events.csv", ["user,item,timestamp", f"u,a,{START}", f"u,b,{START}"])
    items = write(tmp_path / "items.csv", ["item_id,title", "a,Anna", "c,Clara"])
    both = EventsAndItems(source(events), source(items, "items"))
    for part in both.events():
        list(part.entries)
    records = [entry for part in both.catalog(START * 1_000) for entry in part.entries]
    assert [(record.object, record.body.title) for record in records if isinstance(record, Record)] == [  # type: ignore[union-attr]
        ("a", "Anna"), ("c", "Clara"), ("b", ""),
    ]  # fmt: skip


def test_too_small_a_file_is_refused_with_how_many_events_are_needed(tmp_path: Path) -> None:
    path = write(tmp_path / "few.csv", [*ratings(20), "u1,i1,lots,1700000000"])
    with pytest.raises(InvalidFile, match=r"few.csv: 20 events .*line 22: rating must be a number.* at least 50"):
        trial(tmp_path, path)


def test_a_home_that_holds_a_log_is_not_tried_on(tmp_path: Path) -> None:
    path = write(tmp_path / "ratings.csv", ratings())
    trial(tmp_path, path)
    with pytest.raises(HomeError, match="holds a log already"):
        trial(tmp_path, path)


def test_a_trial_stops_between_two_steps(tmp_path: Path) -> None:
    path = write(tmp_path / "ratings.csv", ratings())
    clock = ManualClock(NOW)
    file = TrialFile(path.name, source(path))
    home = Home(tmp_path / "home", clock=clock)
    imported = prepare(home, file, clock, quiet)
    with Engine.open(home.path, environment={}, clock=clock) as engine, pytest.raises(Stopped):
        run_trial(engine, file, imported, quiet, lambda: True)


def compared(ours: float, theirs: float, interval: Interval | None, gains: tuple[float, float]) -> RankingComparison:
    return RankingComparison(
        asked=50, of=50, users=20, known_users=20, feedmill=RankingScore(ours, gains[0]),
        popularity=RankingScore(theirs, gains[1]), popularity_kind="recent", hit_rate_difference=interval,
        ndcg_difference=Interval(gains[0] - gains[1], -0.02, 0.01, 0.95, 0.5),
    )  # fmt: skip


def test_the_verdict_says_who_is_ahead_and_whether_that_is_chance() -> None:
    sure = compared(0.30, 0.10, Interval(0.20, 0.10, 0.30, 0.95, 0.01), (0.2, 0.1))
    unsure = compared(0.10, 0.12, Interval(-0.02, -0.10, 0.05, 0.95, 0.6), (0.1, 0.12))
    ahead, behind = verdict(sure, unsure, {})
    assert ahead == (
        "As it goes: Feedmill is ahead of popularity (30.0% of lists held a wanted item, popularity's 10.0%); not"
        " chance (the difference lies between +0.100 and +0.300, with 95 % confidence)."
    )
    assert behind == (
        "Asked once, at the split: Feedmill is behind popularity (10.0% of lists held a wanted item, popularity's"
        " 12.0%); that could be chance (the difference lies between -0.100 and +0.050, with 95 % confidence)."
    )


def test_the_verdict_does_not_keep_quiet_where_measures_disagree() -> None:
    split = compared(0.30, 0.10, Interval(0.20, 0.10, 0.30, 0.95, 0.01), (0.1, 0.12))
    assert len(verdict(split, None, {})) == 2
    assert verdict(split, None, {})[1].startswith("By NDCG it is the other way round: Feedmill is behind popularity")


def test_without_an_interval_the_verdict_names_chance() -> None:
    assert "too few users" in verdict(compared(0.3, 0.1, None, (0.2, 0.1)), None, {})[0]
    assert verdict(None, None, {}) == ["There is nothing to say which is ahead by."]


def test_as_many_as_there_are_are_drawn_and_no_more() -> None:
    assert draw(5, 3, np.random.default_rng(0)) == [0, 1, 2]
    drawn = draw(5, 100, np.random.default_rng(0))
    assert len(set(drawn)) == 5
    assert drawn == sorted(drawn)
