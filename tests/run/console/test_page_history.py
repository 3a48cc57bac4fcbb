from __future__ import annotations

from feedmill.run.console.history import Sent
from feedmill.run.demo.telling import Ages, Moment


def moment(now: int, auc: float | None = None) -> Moment:
    none = Ages(None, None)
    return Moment(now, {}, none, none, auc, {}, 0)


def news(sent: Sent, *times: int) -> tuple[int, int, list[int]]:
    told = sent.news([moment(time) for time in times])
    return told.start, told.after, [each.now for each in told.moments]


def test_the_first_message_has_everything_and_the_next_only_what_is_new_with_the_last_point_again():
    sent = Sent()
    assert news(sent, 10, 20, 25) == (10, -1, [10, 20, 25])
    assert news(sent, 10, 20, 27) == (10, 20, [27])
    assert news(sent, 10, 20, 30, 33) == (10, 20, [30, 33])


def test_history_that_was_thinned_out_or_has_lost_its_beginning_is_sent_anew():
    sent = Sent()
    news(sent, 10, 20, 30, 40, 45)
    assert news(sent, 10, 30, 47) == (10, -1, [10, 30, 47])
    assert news(sent, 5, 47, 50) == (5, -1, [5, 47, 50])


def test_a_window_that_slides_drops_its_oldest_points():
    sent = Sent()
    news(sent, 10, 20, 30, 35)
    assert news(sent, 20, 30, 36) == (20, 30, [36])


def test_columns_keep_four_digits_and_leave_out_what_is_not_a_number():
    told = Sent().news([moment(1, 0.123456), moment(2), moment(3, float("nan"))])
    assert told.columns({"auc": lambda one: one.auc}) == {
        "from": 1,
        "after": -1,
        "times": [1, 2, 3],
        "values": {"auc": [0.1235, None, None]},
    }


def test_nothing_told_is_nothing_sent():
    assert news(Sent()) == (0, -1, [])
