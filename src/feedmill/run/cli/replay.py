"""`feedmill replay`: one progressive pass over the log, and what it predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption, read_moment

if TYPE_CHECKING:
    from feedmill.run.replay import Replay


def replay(
    home: HomeOption = DEFAULT_HOME,
    window_from: Annotated[
        str | None,
        typer.Option("--window-from", metavar="TIME", help="Measure the rows from this moment (ISO 8601) on."),
    ] = None,
    frozen_from: Annotated[
        str | None,
        typer.Option("--frozen-from", metavar="TIME", help="Keep the parameters as they are from this moment on."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the initial parameters: training.seed.")] = None,
    scores: Annotated[
        Path | None, typer.Option("--scores", metavar="FILE", help="Write every prediction to a Parquet file.")
    ] = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Predict every row of the log before it is learned, and measure.

    Goes over the whole log from its beginning; what `train` has learned is neither used nor changed. Ctrl-C stops after
    a step; the same command goes on from there.
    """
    window, frozen = read_moment("--window-from", window_from), read_moment("--frozen-from", frozen_from)

    from feedmill.domain.slots import SlotRegistry
    from feedmill.learn.training.learner import Learner
    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.metrics import metrics_table
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes, output, print_json
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress
    from feedmill.run.replay import Replay
    from feedmill.run.replay import replay as run_replay
    from feedmill.run.scores import write_scores

    arguments = [*(settings or ()), *([] if seed is None else [f"training.seed={seed}"])]
    log = open_log()
    with open_engine(home, arguments) as engine, StopFlag() as stopped:
        end = engine.log.end()

        def start(folder: Path | None) -> Replay:
            # With slots of its own: the result depends on the log and the configuration, not on what the home was.
            learner = Learner(engine.config.learning(), SlotRegistry(), learn_retrieval=False, folder=folder)
            return Replay(engine.log, learner, frozen_from=frozen)

        with progress(notes(), log.info) as report:

            def after_step(running: Replay) -> bool:
                report("replaying", running.position, end, running.recent.summary)
                return not stopped

            done = run_replay(
                start,
                engine.home.path / "replay",
                snapshot_steps=engine.config.training.snapshot_steps,
                after_step=after_step,
            )
        if done is None:
            raise Interrupted("stopped, with a snapshot; the same command goes on from there")
        measured = done.report(window)
        if scores is not None:
            write_scores(done, scores)
            log.info("predictions written", file=str(scores), rows=measured.rows)
    if json:
        print_json(measured)
        return
    console = output()
    since = f", {measured.window_rows:,} of them from {measured.window_from} on" if measured.window_from else ""
    console.print(f"{measured.rows:,} rows{since}; {measured.rows_per_second:,.0f} rows a second")
    if measured.frozen_from:
        console.print(f"The parameters were kept as they were at {measured.frozen_from}.")
    console.print(metrics_table(measured.objectives))
