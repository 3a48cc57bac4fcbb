"""`feedmill evaluate`: models compared on what a home has seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption, read_moment

if TYPE_CHECKING:
    from feedmill.run.evaluation.progressive import ProgressiveReport
    from feedmill.run.evaluation.report import EvaluationReport


def evaluate(
    home: HomeOption = DEFAULT_HOME,
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="NAME", help="What is learned from and what is asked for.")
    ] = "temporal",
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            metavar="A,B,...",
            help="Models; feedmill is the engine. With settings: als:factors=32:iterations=10.",
        ),
    ] = None,
    actions: Annotated[
        str | None,
        typer.Option("--actions", metavar="A,B,...", help="Count these actions, whatever their value. Default: likes."),
    ] = None,
    k: Annotated[int | None, typer.Option("--k", min=1, max=1000, help="How long the lists are. Default: 10.")] = None,
    share: Annotated[
        float | None, typer.Option("--share", metavar="SHARE", help="Of the interactions, behind the cut by time.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="The cut by time itself (ISO 8601), instead of a share.")
    ] = None,
    folds: Annotated[int | None, typer.Option("--folds", help="Of the protocols that fold.")] = None,
    known: Annotated[
        float | None,
        typer.Option("--known", help="What is given of a user: a share (user-folds) or a number (user-cold-start)."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of folds, models and resampling.")] = 0,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=100, help="Resamples of an interval. Default: 2000; progressive 500."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE", help="The HTML file. Default: reports/evaluate-NAME.html in the home."
        ),
    ] = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Compare models on the log of a home, with intervals, and say which is ahead.

    Every model learns the same part of the log and ranks the full catalogue. Only reads the log. Ctrl-C stops it
    between two models or while the engine learns, the progressive protocol after a step; the same command goes on from
    there.
    """
    moment = read_moment("--at", at)

    import msgspec

    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes, print_json
    from feedmill.run.evaluation import progressive
    from feedmill.run.evaluation.page import evaluation_page
    from feedmill.run.evaluation.progressive_page import progressive_page
    from feedmill.run.evaluation.protocols import PROGRESSIVE, make_protocol
    from feedmill.run.evaluation.report import DEFAULT_MODELS, SAMPLES, EvaluationReport, run_evaluation
    from feedmill.run.logs import open_log
    from feedmill.run.progress import progress
    from feedmill.run.report.page import write_page

    names = None if models is None else [name.strip() for name in models.split(",") if name.strip()]
    rules = None
    if protocol == PROGRESSIVE:
        for option, value in {"actions": actions, "k": k, "folds": folds, "known": known}.items():
            if value is not None:
                raise typer.BadParameter("the progressive protocol has no such setting", param_hint=f"--{option}")
    else:
        given = {"share": share, "at": moment, "folds": folds, "known": known, "seed": seed}
        rules = make_protocol(protocol, given)
    found: EvaluationReport | ProgressiveReport
    with open_engine(home, settings) as engine, StopFlag() as stopped:
        path = report or engine.home.reports / f"evaluate-{protocol}.html"
        with progress(notes(), open_log().info) as said:

            def look_up(phase: str, done: int, total: int) -> None:
                if stopped:
                    raise Interrupted("stopped; the same command goes on from there, and learns no model twice")
                said(phase, done, total)

            if rules is None:
                judged = progressive.run_progressive(
                    engine, names or progressive.DEFAULT_MODELS, share=share, at=moment, seed=seed,
                    samples=samples or progressive.SAMPLES, progress=said, goes_on=lambda: not stopped,
                )  # fmt: skip
                if judged is None:
                    raise Interrupted("stopped, with a snapshot; the same command goes on from there")
                write_page(path, progressive_page(judged))
                found = judged
            else:
                counted = [action for action in (actions or "").split(",") if action]
                found = run_evaluation(
                    engine, rules, DEFAULT_MODELS if names is None else names, actions=counted, k=k or 10, seed=seed,
                    samples=samples or SAMPLES, progress=look_up,
                )  # fmt: skip
                write_page(path, evaluation_page(found))
    found = msgspec.structs.replace(found, report=str(path))
    if json:
        print_json(found)
    elif isinstance(found, EvaluationReport):
        _show(found)
    else:
        _show_progressive(found)


def _show_progressive(report: ProgressiveReport) -> None:
    from feedmill.run.cli.terminal import make_table, number, output, plain

    console = output()
    console.print(
        f"progressive: {report.rule}.\n{report.judged:,} of {report.rows:,} rows, from {report.judged_from} on."
    )
    for found in report.objectives:
        names = list(found.models[0].metrics)
        table = make_table(f"predicting {found.objective}", *names, numbers=frozenset(names))
        for result in found.models:
            cells = (
                f"{number(value.estimate)} ±{(value.high - value.low) / 2:.4f}" for value in result.metrics.values()
            )
            table.add_row(result.name, *cells)
        console.print()
        console.print(table)
    console.print()
    for sentence in (*report.notes, *report.verdict):
        console.print(plain(sentence, 400))
    console.print(f"The report, with plots: {report.report}")


def _show(report: EvaluationReport) -> None:
    from feedmill.run.cli.terminal import make_table, number, output, plain

    console, found = output(), report.evaluation
    console.print(
        f"{found.protocol}: {found.rule}.\n{found.users:,} users, {found.items:,} items, {found.train:,} interactions"
        f" to learn from, {found.test:,} to ask for; {report.taken}."
    )
    for rule, count in found.left_out.items():
        console.print(f"Left out: {count:,} ({rule}).")
    for note in report.notes:
        console.print(note)
    names = ("ndcg", "hit_rate", "recall", "map", "mrr", "novelty", "diversity")
    heads = (f"NDCG@{found.k}", "95 % interval", "hit rate", "recall", "MAP", "MRR", "novelty", "diversity", "coverage")
    table = make_table("model", *heads, "seconds", numbers=frozenset((*heads, "seconds")))
    for result in found.models:
        ndcg, *others = (result.metrics[name] for name in names)
        table.add_row(
            plain(result.name), number(ndcg.estimate), f"{number(ndcg.low)} to {number(ndcg.high)}",
            *(number(value.estimate) for value in others), f"{result.coverage.estimate:.1%}",
            f"{result.fit_seconds + result.recommend_seconds:.1f}",
        )  # fmt: skip
    console.print()
    console.print(table)
    console.print()
    for sentence in (report.summary, *report.verdict):
        console.print(plain(sentence, 400))
    console.print(f"The report, with plots: {report.report}")
