"""`feedmill demo`: a small world whose tastes are known, and how the feed gets better in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from feedmill.run.cli.options import JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.demonstration import DemoReport, Scene
    from feedmill.simulation import WorldConfig


def demo(
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the world and of the initial parameters.")] = 0,
    users: Annotated[int | None, typer.Option("--users", min=1, help="How many people live in the world.")] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="How long it goes on.")] = None,
    json: JsonOption = False,
) -> None:
    """Show in a simulated world of short videos how the feed gets better.

    People whose tastes are hidden, and drift, open their feeds. Feedmill fills them beside random choice, popularity,
    and an oracle that knows what is hidden; each learns only from what was watched in its own feeds. Needs no home and
    leaves nothing behind. Ctrl-C shows how far it came.
    """
    import msgspec
    import torch

    from feedmill.run.cli.boundary import Interrupted
    from feedmill.run.cli.demo_view import show_result, show_standing
    from feedmill.run.cli.stopping import StopFlag
    from feedmill.run.cli.terminal import notes, output, print_json
    from feedmill.run.demonstration import Stopped
    from feedmill.simulation import WorldConfig

    torch.set_num_threads(1)
    chosen = {"users": users, "days": days}
    config = WorldConfig(**{name: value for name, value in chosen.items() if value is not None})
    with StopFlag() as stopped:
        try:
            report, scene = _watched(config, seed, notes(), stopped)
        except Stopped as stop:
            if not json:
                show_standing(output(), stop.scene)
            standing = stop.scene.standing
            raise Interrupted(f"stopped after {standing.feeds:,} feeds, {_place(stop.scene)}") from None
    if json:
        print_json(msgspec.to_builtins(report))
    else:
        show_result(output(), report, scene)


def _watched(config: WorldConfig, seed: int, console: Console, stopped: StopFlag) -> tuple[DemoReport, Scene]:
    """Run the demonstration before the eyes of the user: live on a terminal, a line a day elsewhere."""
    from rich.live import Live

    from feedmill.run.cli.demo_view import live_view
    from feedmill.run.demonstration import demonstrate

    if not console.is_terminal:
        console.print(f"{config.users} users, {config.days} days: the mean watched share of what was seen, day by day")

        def tell(scene: Scene) -> bool:
            today = scene.standing.step * config.days / scene.standing.steps
            if today.is_integer():
                shares = ", ".join(f"{name} {values[-1]:.2f}" for name, values in scene.standing.by_day.items())
                console.print(f"{_place(scene)}: {shares}")
            return not stopped

        return demonstrate(config, seed, tell)

    with Live(console=console, transient=True, refresh_per_second=6) as live:

        def show(scene: Scene) -> bool:
            live.update(live_view(scene))
            return not stopped

        return demonstrate(config, seed, show)


def _place(scene: Scene) -> str:
    day = -(-scene.standing.step * scene.config.days // scene.standing.steps)
    return f"day {day} of {scene.config.days}"
