"""`feedmill recommend`: a feed for one user, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import DEFAULT_HOME, HomeOption, JsonOption, SetOption, read_moment, read_pairs

if TYPE_CHECKING:
    from feedmill.domain.records import Scalar
    from feedmill.learn.training.learner import Step
    from feedmill.serve.page import Page


def recommend(
    user: Annotated[str, typer.Option("--user", metavar="ID", help="For whom; a user not known yet gets a feed too.")],
    home: HomeOption = DEFAULT_HOME,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many items.")] = 20,
    surface: Annotated[str, typer.Option("--surface", metavar="NAME", help="Where the feed is shown.")] = "feed",
    context: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="KEY=VALUE", help="What else is known of the request; may be repeated."),
    ] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="ITEM", help="Say why this item is in the feed, or is not.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="As of this moment (ISO 8601). Default: now, or the end of an older log."
        ),
    ] = None,
    settings: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Print a feed for one user, and why.

    First learns what is new in the log, as `train` does.
    """
    asked_at = read_moment("--at", at)
    said = {key: _scalar(value) for key, value in read_pairs("--context", context)}

    import time

    import msgspec

    from feedmill.domain.clock import DAY, format_time
    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.opening import open_engine
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes, output, plain, print_json
    from feedmill.run.logs import open_log
    from feedmill.run.objective_metrics import Recent
    from feedmill.run.progress import progress
    from feedmill.stream.validation import check_id

    check_id("--user", user)
    log = open_log()
    with open_engine(home, settings) as engine:
        recent = Recent(engine.config.objectives)
        with StopFlag() as stopped, progress(notes(), log.info) as report:

            def after_step(step: Step, position: int, end: int) -> bool:
                recent.add(step.examples, step.predictions)
                report("learning what is new", position, end, recent.summary)
                return not stopped

            done = engine.catch_up(after_step)
        if done.position < done.end:
            raise Interrupted(
                "stopped while learning what is new, with a snapshot; the same command goes on from there"
            )
        state = engine.trainer.learner.state
        clock_says, watermark = engine.clock.now(), state.watermark
        # In an old log everything would have faded away by now: its own end is the present that it knows.
        now = asked_at if asked_at is not None else clock_says if clock_says - watermark < DAY else watermark
        known = state.catalog.users.ids.find(user) >= 0
        request = engine.request(user, limit=limit, surface=surface, context=said, now=now)
        feed = engine.feed
        feed.refresh(now)
        started = time.perf_counter()
        page = feed.recommend(request)
        milliseconds = 1000 * (time.perf_counter() - started)
        explanation = None if explain is None else feed.explain(page.trace, explain)
    if json:
        print_json(
            {
                "user": user,
                "known": known,
                "at": format_time(now),
                "items": msgspec.to_builtins(page.items),
                "note": page.note,
                "milliseconds": round(milliseconds, 3),
                "learned": done.examples,
                **({} if explanation is None else {"explanation": msgspec.to_builtins(explanation)}),
            }
        )
        return
    console = output()
    name = plain(user)
    console.print(
        f"A feed for {name}" if known else f"{name} is new: nothing is known of them yet. A feed all the same:"
    )
    _show_page(page)
    if page.note:
        console.print(page.note)
    if explanation is not None:
        console.print(f"{plain(explanation.title)}: {plain(explanation.sentence, 500)}")
    console.print(f"As of {format_time(now)}, in {milliseconds:.0f} ms")


def _show_page(page: Page) -> None:
    from feedmill.run.cli.terminal import make_table, output, plain

    objectives = list(page.items[0].predictions) if page.items else []
    table = make_table(
        "", "title", *objectives, "score", "sources", "why", numbers=frozenset(["", *objectives, "score"])
    )
    for item in page.items:
        predictions = (f"{item.predictions[name]:.3f}" if name in item.predictions else "-" for name in objectives)
        table.add_row(
            str(item.position),
            plain(item.title),
            *predictions,
            f"{item.score:.3f}",
            ", ".join(item.sources),
            plain(item.why, 200),
        )
    output().print(table)


def _scalar(text: str) -> Scalar:
    """`true`, `5` and `0.5` are what they look like; everything else is text."""
    import msgspec

    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, int | float | bool) else text
