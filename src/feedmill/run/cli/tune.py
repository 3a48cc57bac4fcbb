"""`feedmill tune`: the settings of a model that suit a home's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption

if TYPE_CHECKING:
    from feedmill.run.evaluation.tuning import TuningReport


def tune(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Which model, as `evaluate --models` names it.")],
    home: HomeOption = DEFAULT_HOME,
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="NAME", help="temporal, leave-last-out, or a cold start.")
    ] = "temporal",
    trials: Annotated[int, typer.Option("--trials", min=2, help="How many settings are tried.")] = 30,
    actions: Annotated[
        str | None,
        typer.Option("--actions", metavar="A,B,...", help="Count these actions, whatever their value. Default: likes."),
    ] = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="How long the lists are.")] = 10,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the models and of what is tried.")] = 0,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Choose the settings of a model on a validation part, and judge them on a test part that no trial has seen.

    Every trial is kept: Ctrl-C stops after the one in hand, and the same command goes on from there.
    """
    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes, print_json
    from feedmill.run.evaluation.protocols import make_protocol
    from feedmill.run.evaluation.tuning import tune as run_tuning
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress

    rules = make_protocol(protocol, {"seed": seed})
    named = [action for action in (actions or "").split(",") if action]
    with open_engine(home, settings) as engine, StopFlag() as stopped, progress(notes(), open_log().info) as said:

        def look_up(phase: str, done: int, total: int) -> None:
            if stopped:
                raise Interrupted(f"stopped; what was tried is kept, and the same command goes on ({phase})")
            said(phase, done, total)

        found = run_tuning(
            engine, model, rules, trials=trials, actions=named, k=k, seed=seed, progress=look_up
        )  # fmt: skip
    if json:
        print_json(found)
    else:
        _show(found)


def _show(report: TuningReport) -> None:
    from feedmill.run.cli.terminal import output, plain

    console = output()
    refused = f", {report.failed} of them refused" if report.failed else ""
    console.print(f"{report.trials} settings tried{refused}; {report.protocol}: {report.rule}, twice.")
    console.print(
        f"NDCG on the validation part: {report.validation:.4f}; with the default settings"
        f" {report.validation_default:.4f}."
    )
    console.print("On the test part, which no trial has seen:")
    for sentence in report.verdict:
        console.print(plain(sentence, 400))
    console.print(f"The settings are in {report.written}; compare with: --models {report.model},{report.use}")
