"""`feedmill train`: learn what the log holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption

if TYPE_CHECKING:
    from feedmill.learn.training.learner import Step


def train(
    home: HomeOption = DEFAULT_HOME,
    first: Annotated[
        int | None,
        typer.Option("--from", metavar="POSITION", min=0, help="Only fold what stands before this position."),
    ] = None,
    until: Annotated[
        int | None,
        typer.Option("--until", metavar="POSITION", min=0, help="End with the first step that reaches this position."),
    ] = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Learn what is new in the log, or a range of it.

    Goes on from where it was stopped. Ctrl-C stops after a step, and keeps what was learned.
    """
    import msgspec

    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.metrics import metrics_table
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes, output, print_json
    from feedmill.run.logs import open_log
    from feedmill.run.objective_metrics import Recent
    from feedmill.run.progress import progress

    log = open_log()
    with open_engine(home, settings) as engine, StopFlag() as stopped:
        trainer = engine.trainer
        for refused in trainer.refused:
            log.warning("snapshots not used", reason=refused)
        recent = Recent(engine.config.objectives)
        with progress(notes(), log.info) as report:

            def after_step(step: Step, position: int, end: int) -> bool:
                recent.add(step.examples, step.predictions)
                report("training", position, end, recent.summary)
                return not stopped

            done = engine.catch_up(after_step, first=first, until=until)
        if done.position < done.end:
            raise Interrupted(
                f"stopped after step {trainer.step}, at position {done.position:,} of {done.end:,}, with a snapshot;"
                f" `feedmill train --home {home}` goes on from there"
            )
        snapshot = next((str(engine.home.snapshots / f"{step:012d}") for step in trainer.snapshots.steps()[-1:]), None)
        metrics = recent.metrics()
    rate = done.examples / done.seconds if done.examples else 0.0
    if json:
        print_json(
            {
                "steps": done.steps,
                "examples": done.examples,
                "seconds": done.seconds,
                "rows_per_second": rate,
                "position": done.position,
                "snapshot": snapshot,
                "progressive": msgspec.to_builtins(metrics),
            }
        )
        return
    console = output()
    if not done.steps:
        console.print(f"Nothing new: the log has been learned up to position {done.position:,}.")
        return
    console.print(f"{done.examples:,} examples in {done.steps:,} steps, {rate:,.0f} a second; snapshot {snapshot}")
    if metrics.rows:
        console.print(f"Of the last {metrics.rows:,}, each predicted before it was learned:")
        console.print(metrics_table(metrics.objectives))
