"""The live charts: how well it goes, how fast it learns, and from where it takes what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui.element import Element

from feedmill.run.console import wording
from feedmill.run.console.history import Column, News, Sent
from feedmill.run.console.palette import NEUTRAL_HUE, colour
from feedmill.run.console.plain import Words, element
from feedmill.run.console.waking import Waking
from feedmill.run.demo.telling import Ages, Moment, Told

_POLICIES: tuple[dict[str, Any], ...] = (
    {"key": "random", "label": "random", "shade": "var(--fm-text-faint)", "dash": "1 4", "width": 2},
    {"key": "popularity", "label": "popularity", "shade": "var(--fm-text-faint)", "dash": "7 4"},
    {"key": "oracle", "label": "oracle", "shade": "var(--fm-text-muted)"},
    {"key": "feedmill", "label": "Feedmill", "shade": "var(--fm-accent)", "width": 3, "first": True},
)
_AGE_LINES: tuple[dict[str, Any], ...] = (
    {"key": "p99", "label": "99 of 100 within", "shade": "var(--fm-text-faint)", "dash": "2 3"},
    {"key": "p50", "label": "half within", "shade": "var(--fm-accent)", "width": 2},
)
_ENGAGEMENT = {
    "kind": "lines", "scale": "linear", "unit": "percent", "span": [0.35, 0.5], "grain": 0.05,
    "series": list(_POLICIES), "ends": True, "room": 118, "sentences": True,
}  # fmt: skip
_AGE = {
    "kind": "lines", "scale": "log", "unit": "milliseconds", "series": list(_AGE_LINES),
    "ends": False, "sentences": False,
}  # fmt: skip
_AUC = {
    "kind": "lines", "scale": "linear", "unit": "number", "span": [0.5, 0.75], "grain": 0.05, "ends": False,
    "series": [{"key": "auc", "label": "AUC", "shade": "var(--fm-accent)", "width": 2}], "sentences": False,
}  # fmt: skip
_SHARES = {
    "kind": "stack", "scale": "linear", "unit": "percent", "span": [0, 1], "series": [],
    "ends": True, "room": 184, "sentences": False,
}  # fmt: skip
_UNMEASURED = "nothing measured yet"


class Chart(Element, component="static/chart.js"):
    """Draws columns over the world's time; `look` is what its component's first comment says."""

    def __init__(self, look: dict[str, Any], classes: str, testid: str | None = None) -> None:
        super().__init__()
        self.classes(classes)
        self._props["look"] = look
        if testid is not None:
            self._props["data-testid"] = testid

    def tell(self, news: News, columns: dict[str, Column], told: Told, summary: str, **more: Any) -> None:
        self.run_method(
            "tell",
            {
                **news.columns(columns),
                "notes": [list(note) for note in told.notes[-12:]],
                "origin": wording.origin(told),
                "summary": summary,
                **more,
            },
        )


class Charts:
    """All charts of a page, in the order in which they are read."""

    def __init__(self) -> None:
        self._sent = Sent()
        with element("section", "mill-charts", aria_label="How it goes"):
            self._waking = Waking()
            self._engagement = _Engagement()
            with element("div", "mill-figures"):
                self._feed = _Age(
                    "An event reaches the feed in", "age-feed", 10, lambda moment: moment.event_to_feed_ms
                )
                self._model = _Age(
                    "The model has learned it in", "age-model", 100, lambda moment: moment.event_to_model_ms
                )
                self._auc = _Auc()
            self._shares = _Shares()

    def show(self, told: Told) -> None:
        """Draws what is new since the last call."""
        self._waking.show(told)
        if not told.moments:
            return
        news = self._sent.news(told.moments)
        for chart in (self._engagement, self._feed, self._model, self._auc, self._shares):
            chart.show(told, news)


class _Engagement:
    def __init__(self) -> None:
        with element("article", "mill-panel mill-hero"):
            with element("header", "mill-hero-head"):
                with element("div", "mill-figure"):
                    self._value = Words(wording.NOTHING, "strong", "mill-number is-hero", testid="engagement")
                    Words("of what Feedmill shows is watched", "span", "mill-label")
                self._lead = Words("", "p", "mill-lead", testid="lead")
            self._chart = Chart(_ENGAGEMENT, "is-tall", "chart-engagement")

    def show(self, told: Told, news: News) -> None:
        latest = told.moments[-1].engagement
        feedmill = latest.get("feedmill")
        self._value.set_text(wording.percent(feedmill))
        self._lead.set_text(lead(latest))
        names = [str(policy["key"]) for policy in _POLICIES]
        said = ", ".join(f"{name} {wording.percent(latest.get(name))}" for name in names)
        self._chart.tell(news, {name: _engagement_of(name) for name in names}, told, f"Watched share: {said}")


def _engagement_of(policy: str) -> Column:
    return lambda moment: moment.engagement.get(policy)


def lead(engagement: dict[str, float | None]) -> str:
    """How Feedmill does between the popular and the best there is, in a sentence; empty before there are numbers."""
    ours, popular, best = (engagement.get(name) for name in ("feedmill", "popularity", "oracle"))
    if ours is None or popular is None:
        return ""
    if best is not None and best > popular and ours > popular:
        way = (ours - popular) / (best - popular)
        return f"{wording.percent(way)} of the way from popularity to an oracle that knows every taste"
    points = round(100 * (ours - popular))
    if points == 0:
        return "level with popularity"
    size = f"{abs(points)} point" + ("s" if abs(points) > 1 else "")
    return f"{size} ahead of popularity" if points > 0 else f"{size} behind popularity"


class _Age:
    def __init__(self, title: str, testid: str, floor: int, read: Callable[[Moment], Ages]) -> None:
        self._read = read
        self._title = title
        with element("article", "mill-panel", testid=testid):
            Words(title, "h3", "mill-label")
            self._p50 = Words(wording.NOTHING, "strong", "mill-number")
            self._p99 = Words(_UNMEASURED, "span", "mill-label mill-tabular")
            self._chart = Chart({**_AGE, "span": [floor, 10 * floor]}, "is-small")

    def show(self, told: Told, news: News) -> None:
        ages: Ages = self._read(told.moments[-1])
        self._p50.set_text(wording.milliseconds(ages.p50))
        within = f"99 of 100 within {wording.milliseconds(ages.p99)}"
        self._p99.set_text(_UNMEASURED if ages.p99 is None else within)
        columns: dict[str, Column] = {
            "p50": lambda moment: self._read(moment).p50,
            "p99": lambda moment: self._read(moment).p99,
        }
        summary = f"{self._title}: half within {wording.milliseconds(ages.p50)}"
        self._chart.tell(news, columns, told, summary)


class _Auc:
    def __init__(self) -> None:
        with element("article", "mill-panel", testid="auc"):
            Words("It foretells who watches on", "h3", "mill-label")
            self._value = Words(wording.NOTHING, "strong", "mill-number")
            Words("progressive AUC", "span", "mill-label")
            self._chart = Chart(_AUC, "is-small")

    def show(self, told: Told, news: News) -> None:
        auc = told.moments[-1].auc
        said = wording.NOTHING if auc is None else f"{auc:.3f}"
        self._value.set_text(said)
        self._chart.tell(news, {"auc": _auc_of}, told, f"Progressive AUC {said}")


def _auc_of(moment: Moment) -> float | None:
    return moment.auc


class _Shares:
    def __init__(self) -> None:
        self._names: list[str] = []
        with element("article", "mill-panel mill-found", testid="sources"):
            Words("Where what it shows was found", "h3", "mill-label")
            self._chart = Chart(_SHARES, "is-stack")

    def show(self, told: Told, news: News) -> None:
        latest = told.moments[-1].sources
        seen = {name for moment in news.moments for name in moment.sources}.union(self._names)
        self._names = sorted(seen, key=wording.source_place)
        columns = {name: _share_of(name) for name in self._names}
        said = ", ".join(f"{wording.source(name)} {wording.percent(latest.get(name, 0.0))}" for name in self._names)
        self._chart.tell(news, columns, told, f"Share of each source: {said}", series=_bands(self._names))


def _share_of(source: str) -> Column:
    return lambda moment: moment.sources.get(source, 0.0)


def _bands(names: list[str]) -> list[dict[str, str]]:
    """One hue from light to dark: bands are told apart by their names, their edges and their places."""
    steps = max(1, len(names) - 1)
    return [
        {
            "key": name,
            "label": wording.source(name),
            "shade": colour(0.72 - 0.38 * place / steps, 0.055 - 0.025 * place / steps, NEUTRAL_HUE),
        }
        for place, name in enumerate(names)
    ]
