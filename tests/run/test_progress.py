"""Progress is a bar on a terminal and, in a pipe, a line of the log from time to time."""

from __future__ import annotations

import io

from rich.console import Console

from feedmill.run.progress import LOG_EVERY, progress


class Timer:
    """A clock that stands still until it is turned."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_pipe_gets_a_line_every_ten_seconds_and_nothing_else() -> None:
    said: list[str] = []
    stream, timer = io.StringIO(), Timer()
    with progress(Console(file=stream), said.append, timer) as report:
        report("reading", 1, 4)
        timer.seconds = LOG_EVERY
        report("reading", 2, 4)
        report("reading", 3, 4, lambda: "too early")
        timer.seconds = 2 * LOG_EVERY
        report("writing", 1, 3, lambda: "auc 0.7")
        timer.seconds = 3 * LOG_EVERY
        report("waiting", 0, 0)
    assert said == ["reading: 50%", "writing: 33%  auc 0.7", "waiting"]
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_with_its_notes_and_no_line_of_the_log() -> None:
    said: list[str] = []
    stream, timer = io.StringIO(), Timer()
    console = Console(file=stream, force_terminal=True, width=100)
    with progress(console, said.append, timer) as report:
        report("training", 1, 2, lambda: "auc 0.7")
        console.print("beside")
        report("training", 2, 2, lambda: "asked for too early")
    shown = stream.getvalue()
    assert said == []
    assert "training" in shown
    assert "auc 0.7" in shown
    assert "asked for too early" not in shown
