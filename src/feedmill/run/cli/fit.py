"""`feedmill fit`: a model for the feed."""

from __future__ import annotations

from typing import Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption


def fit(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Which model, as `evaluate --models` names it, settings among it.")
    ],
    home: HomeOption = DEFAULT_HOME,
    actions: Annotated[
        str | None,
        typer.Option("--actions", metavar="A,B,...", help="Count these actions, whatever their value. Default: likes."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the model.")] = 0,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Fit a model on the log of a home, for its feed to ask.

    The feed asks it where the configuration names it: feed.model.name, or feed.ranker.model for those of click-through.
    A server that runs takes it up within seconds.
    """
    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes, output, plain, print_json
    from feedmill.run.fitting import fit_model
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress

    named = [action for action in (actions or "").split(",") if action]
    with open_engine(home, settings) as engine, StopFlag() as stopped, progress(notes(), open_log().info) as said:

        def look_up(phase: str, done: int, total: int) -> None:
            if stopped:
                raise Interrupted("stopped; the model that was there, if any, stays")
            said(phase, done, total)

        found = fit_model(engine, model, actions=named, seed=seed, progress=look_up)
        feed = engine.config.feed
        asked = found.model in (feed.model.name, feed.ranker.model)
    if json:
        print_json(found)
        return
    console = output()
    console.print(f"{found.model}: {found.rows:,} {plain(found.learned, 200)}, in {found.seconds:.1f} s.")
    console.print(f"In {found.written}.")
    console.print("The feed asks it." if asked else f"The feed asks it with: {plain(found.use, 200)}")
