"""The log is told the time as long as impressions wait for it to pass, and then left alone."""

from __future__ import annotations

from feedmill.domain.clock import DAY, MINUTE, SECOND
from feedmill.run.local.heartbeat import Heartbeat

NOON = 1_700_000_000_000


def beats(heartbeat: Heartbeat, watermark: int, position: int, seconds: int) -> list[int]:
    """The seconds after the watermark at which a heartbeat was due; each moves the watermark and the log."""
    start, due = watermark, []
    for second in range(seconds):
        moment = start + second * SECOND
        if heartbeat.due(moment, watermark, position):
            due.append(second)
            watermark, position = moment, position + 1
            heartbeat.appended(position)
    return due


def test_after_the_last_record_it_beats_until_every_window_is_over() -> None:
    due = beats(Heartbeat(30 * SECOND, 10 * MINUTE), NOON, 7, 3600)
    assert due == list(range(30, 661, 30))


def test_a_new_record_begins_the_waiting_anew() -> None:
    heartbeat = Heartbeat(30 * SECOND, 10 * MINUTE)
    beats(heartbeat, NOON, 7, 3600)
    assert len(beats(heartbeat, NOON + 3600 * SECOND, 100, 3600)) == 22


def test_a_busy_log_is_left_alone() -> None:
    heartbeat = Heartbeat(30 * SECOND, 10 * MINUTE)
    assert not any(heartbeat.due(NOON + n * SECOND, NOON + n * SECOND - 1, n) for n in range(1000))


def test_a_log_that_has_slept_for_a_day_and_one_that_is_empty_are_left_alone() -> None:
    heartbeat = Heartbeat(30 * SECOND, 10 * MINUTE)
    assert not heartbeat.due(NOON + DAY, NOON, 7)
    assert not heartbeat.due(NOON, 0, 0)
