"""`feedmill examples`: what the trainer learns, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption


def examples(
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Write the stream here, in place of any that is there.")
    ],
    home: HomeOption = DEFAULT_HOME,
    first: Annotated[
        int, typer.Option("--from", metavar="POSITION", min=0, help="Only fold what stands before this position.")
    ] = 0,
    until: Annotated[
        int | None,
        typer.Option("--until", metavar="POSITION", min=0, help="End with the first step that reaches this position."),
    ] = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Write the joined examples of the log, for batch training.

    What `train` has learned is neither used nor changed.
    """
    import msgspec

    from feedmill.domain.slots import SlotRegistry
    from feedmill.learn.training.learner import Learner
    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes, print_json
    from feedmill.run.cli.terminal import output as out
    from feedmill.run.examples import write_examples
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress

    log = open_log()
    with open_engine(home, settings) as engine, StopFlag() as stopped, progress(notes(), log.info) as report:

        def goes_on(position: int, end: int) -> bool:
            report("joining", position, end, lambda: "")
            return not stopped

        # The slots of the home, so that ids are those of its parameters.
        learner = Learner(engine.config.learning(), SlotRegistry.load(engine.home.slots))
        stream = write_examples(engine.log, learner, output, first=first, until=until, goes_on=goes_on)
    if stream is None:
        raise Interrupted("stopped; the stream is not whole, run the same command again")
    if json:
        print_json({"output": str(output), **msgspec.to_builtins(stream)})
        return
    out().print(f"{stream.rows:,} examples of the positions {stream.first:,} to {stream.until:,} in {output}")
