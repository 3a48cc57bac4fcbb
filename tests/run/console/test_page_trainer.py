from __future__ import annotations

from feedmill.run.console.trainer_watch import TrainerWatch
from feedmill.run.demo.telling import Ages, Moment, ProcessTold, Told

DOWN = "The trainer is down: the feed goes on with what it has learned"


def told(pid: int | None = 7, restarts: int = 0, step: int = 40, lag: int = 0, learned: bool = True) -> Told:
    none = Ages(None, None)
    moment = Moment(0, {}, none, none, None, {}, lag)
    trainer = (ProcessTold("trainer", pid, restarts),)
    return Told(0, True, 0, 0.0, 0, 0, 0, 0, (moment,), trainer, step, learned, ())


def sentences(*seen: tuple[float, Told]) -> list[str]:
    watch = TrainerWatch()
    states = [watch.see(each, seconds) for seconds, each in seen]
    return [state.sentence + state.number for state in states]


def test_a_trainer_that_has_never_run_is_starting():
    assert sentences((0, told(pid=None, learned=False))) == ["The trainer is starting"]


def test_a_page_that_is_opened_while_the_trainer_is_down_says_so():
    assert sentences((0, told(pid=None))) == [DOWN]


def test_it_is_down_until_parameters_move_on_and_the_time_is_told():
    said = sentences(
        (10.0, told()),
        (10.5, told(pid=None)),
        (11.0, told(pid=8, restarts=1)),
        (12.0, told(pid=8, restarts=1, step=41)),
        (23.9, told(pid=8, restarts=1, step=60)),
        (24.0, told(pid=8, restarts=1, step=61)),
    )
    back = "The trainer is back after 1.5 s and has caught up"
    assert said == ["The trainer is learning", DOWN, DOWN, back, back, "The trainer is learning"]


def test_a_restart_between_two_looks_is_seen():
    assert sentences((0, told()), (1, told(pid=8, restarts=1))) == ["The trainer is learning", DOWN]


def test_what_it_has_still_to_learn_is_told_before_it_has_caught_up():
    said = sentences(
        (0.0, told()),
        (1.0, told(pid=None)),
        (3.0, told(pid=8, restarts=1, step=41, lag=1300)),
        (4.0, told(pid=8, restarts=1, step=50, lag=512)),
    )
    assert said[2:] == [
        "The trainer is back after 2.0 s and has 1,300 records to learn",
        "The trainer is back after 2.0 s and has caught up",
    ]


def test_a_trainer_that_lags_without_having_been_down_says_by_how_much():
    assert sentences((0, told(lag=5000))) == ["The trainer is learning, 5,000 records behind"]
