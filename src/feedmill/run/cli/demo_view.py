"""What the demonstration looks like: a chart of days, one user's topics, and a feed from the start and from the end.

Everything fits into 80 columns and 24 lines while it runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from feedmill.domain.clock import DAY
from feedmill.run.cli.terminal import make_table, plain
from feedmill.run.demonstration import DemoReport, Followed, Scene, ShownFeed

ORDER = ("oracle", "feedmill", "popularity", "random")
"""From the top; where marks meet, Feedmill's is in front, then the later one."""
STYLES = {"oracle": "yellow", "feedmill": "bold green", "popularity": "cyan", "random": "dim", "liked": "magenta"}
MARKS = {"oracle": "o", "feedmill": "●", "popularity": "+", "random": "·"}
HEIGHT = 10
WIDTH = 56
"""Columns of the chart that days share."""
TOPICS_SHOWN = 4
FEEDS_COMPARED = 3
"""Feeds of the user that are taken together, at the start and at the end."""
ITEMS_COMPARED = 5


def live_view(scene: Scene) -> RenderableType:
    """The whole picture, while it goes on."""
    standing = scene.standing
    share = standing.step / standing.steps
    day = math.ceil(scene.config.days * share)
    bar = "━" * round(20 * share)
    head = Text.assemble(
        ("Feedmill demo  ", "bold"),
        (bar, "green"),
        ("━" * (20 - len(bar)), "bright_black"),
        f"  day {day} of {scene.config.days}  {standing.feeds:,} feeds  {scene.events:,} events",
    )
    return Group(head, Text(), chart(standing.by_day, scene.config.days), Text(), topics(scene.followed))


def show_standing(console: Console, scene: Scene) -> None:
    """How far a demonstration came that was stopped."""
    console.print(chart(scene.standing.by_day, scene.config.days))


def show_result(console: Console, report: DemoReport, scene: Scene) -> None:
    """The chart, the user's feed then and now, and the numbers."""
    console.print(chart(report.by_day, report.days))
    console.print()
    followed = scene.followed
    if len(followed.feeds) > 1:
        console.print(topics(followed))
        console.print()
        console.print(feed("The first", followed, followed.feeds[0]))
        console.print()
        console.print(feed("The last", followed, followed.feeds[-1]))
        console.print()
    console.print(summary(report))


def chart(by_day: Mapping[str, Sequence[float]], days: int) -> RenderableType:
    """The mean watched share of every policy, a column a day, the latest days where there are many; 80 columns."""
    shown = min(days, WIDTH // 3)
    column = WIDTH // shown
    skipped = max(0, max(map(len, by_day.values()), default=0) - shown)
    points = {name: list(by_day[name][skipped:]) for name in ORDER if name in by_day}
    values = [value for column_values in points.values() for value in column_values if not math.isnan(value)]
    low, high = math.floor(10 * min(values, default=0)) / 10, math.ceil(10 * max(values, default=1)) / 10
    step = max(high - low, 0.1) / HEIGHT

    cells: dict[tuple[int, int], str] = {}
    for name in sorted(points, key=lambda name: (name == "feedmill", ORDER.index(name))):
        rows = [None if math.isnan(value) else min(HEIGHT - 1, int((value - low) / step)) for value in points[name]]
        cells.update(((row, place), name) for place, row in enumerate(rows) if row is not None)
    lasts = {name: [value for value in points[name] if not math.isnan(value)][-1:] for name in points}
    ranking = sorted((last[0], name) for name, last in lasts.items() if last)
    ends: dict[int, tuple[float, str]] = {}
    row = -1
    for place, end in enumerate(ranking):
        # As near to the mark as the lines of those below and above leave room for.
        row = min(max(row + 1, int((end[0] - low) / step)), HEIGHT - len(ranking) + place)
        ends[row] = end

    lines = [Text("Mean watched share of what was seen, by day", "bold")]
    for row in reversed(range(HEIGHT)):
        label = f"{low + (row + 0.5) * step:.2f}" if row % 2 else ""
        line = Text(f"{label:>5} │", "bright_black")
        for place in range(shown):
            here = cells.get((row, place))
            line.append(f"{MARKS[here] if here else '':^{column}}", STYLES[here] if here else "")
        if row in ends:
            last, name = ends[row]
            line.append(f" {name} {last:.2f}", STYLES[name])
        lines.append(line)
    lines.append(Text("      └" + "─" * (shown * column), "bright_black"))
    labels = "".join(f"{skipped + place + 1:^{column}}" for place in range(shown))
    lines.append(Text(f"   day {labels}", "bright_black"))
    return Group(*lines)


def topics(followed: Followed) -> RenderableType:
    """What the followed user is fond of now, and how much of the feed was about it, at first and lately."""
    tastes = followed.tastes()
    names = list(tastes)[:TOPICS_SHOWN]
    first, last = followed.feeds[:FEEDS_COMPARED], followed.feeds[-FEEDS_COMPARED:]
    title = Text.assemble(
        (followed.user_id, "bold"), f" has opened {len(followed.feeds)} feeds, and has told nobody what to put in them"
    )
    table = Table(box=None, pad_edge=False, header_style="bold", width=78)
    table.add_column("likes", width=13)
    table.add_column("how much", width=9)
    table.add_column("since", width=8)
    table.add_column(f"share of first {FEEDS_COMPARED} feeds", width=22)
    table.add_column(f"share of last {FEEDS_COMPARED} feeds", width=22)
    for name in names:
        table.add_row(
            name,
            Text("♥" * max(1, round(3 * tastes[name])), STYLES["liked"]),
            Text(f"day {followed.fond_since(name)}", "dim"),
            _bar(_share(first, {name}), "bright_black"),
            _bar(_share(last, {name}), "green"),
        )
    table.add_row(
        Text("any of these", "italic"),
        "",
        "",
        _bar(_share(first, set(names)), "bright_black"),
        _bar(_share(last, set(names)), "green"),
    )
    return Group(title, table)


def feed(which: str, followed: Followed, shown: ShownFeed) -> RenderableType:
    """The top of one feed, with what it is about, and why."""
    title = Text.assemble(f"{which} feed, on day {1 + (shown.now - followed.start) // DAY}, from the top", style="bold")
    table = Table(box=None, pad_edge=False, show_header=False)
    for width in (1, 30, 10, 34):
        table.add_column(width=width, overflow="ellipsis", no_wrap=True)
    for item in shown.items[:ITEMS_COMPARED]:
        liked = not shown.fond_of.isdisjoint(item.topics)
        table.add_row(
            Text("♥" if liked else "", STYLES["liked"]), plain(item.title), item.topics[0], Text(plain(item.why), "dim")
        )
    return Group(title, table)


def summary(report: DemoReport) -> RenderableType:
    """The numbers by policy."""
    quarters = ("1st quarter", "2nd", "3rd", "last")
    columns = (*quarters, "likes per 100", "of the oracle's")
    table = make_table("watched share", *columns, numbers=frozenset(columns))
    best = report.engagement["oracle"]
    for name in ORDER:
        shares = report.by_quarter[name]
        table.add_row(
            Text(name, STYLES[name]),
            *(_percent(share) for share in shares),
            f"{100 * report.likes[name]:.1f}",
            _percent(report.engagement[name] / best),
        )
    words = Text(
        f"{report.users:,} users, {report.items:,} items, {report.days} days, {report.feeds:,} feeds; Feedmill learned"
        f" from {report.events:,} events.\nAll four policies took {report.seconds:.0f} seconds. Seed {report.seed}."
    )
    return Group(table, Padding(words, (1, 0, 0, 0)))


def _share(feeds: Sequence[ShownFeed], names: set[str]) -> float:
    """The share of the items of some feeds that are about one of the topics."""
    items = [item for shown in feeds for item in shown.items]
    return sum(not names.isdisjoint(item.topics) for item in items) / len(items) if items else 0.0


def _bar(share: float, style: str) -> Text:
    return Text.assemble(("█" * round(15 * share) or "▏", style), f" {_percent(share)}")


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.0f} %"
