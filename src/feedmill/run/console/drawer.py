"""Inside the engine: why this card is here, how fresh it is, and what it believes of the person who sees it."""

from __future__ import annotations

from feedmill.run.console import wording
from feedmill.run.console.freshness import Freshness
from feedmill.run.console.palette import TOPIC_HUES
from feedmill.run.console.plain import Words, change, element, press, restyle
from feedmill.run.demo.telling import Belief, Card, Told

_PREDICTIONS = {"watched": "share watched", "like": "chance of a like", "share": "chance of a share"}
MOVED = 0.005
"""A belief that moved less than half a point has not moved."""


class Drawer:
    """Three parts; the last keeps its sixteen bars and slides them."""

    def __init__(self) -> None:
        with element(
            "section", "mill-drawer", testid="drawer", aria_label="Inside the engine", data_open="true"
        ) as self._box:
            with element("header", "mill-drawer-head"):
                Words("Inside the engine", "h2", "mill-title")
                self._toggle = press("Close", "mill-toggle", testid="drawer-toggle", aria_expanded="true")
                self._toggle.on("click", self._turn, args=[])
            self._why = _Why()
            self._freshness = Freshness()
            self._beliefs = _Beliefs()

    def _turn(self) -> None:
        is_open = self._box.props.get("data-open") != "true"
        change(self._box, data_open="true" if is_open else "false")
        change(self._toggle, aria_expanded="true" if is_open else "false")
        self._toggle.set_text("Close" if is_open else "Inside the engine")

    def show(self, told: Told) -> None:
        self._freshness.show(told)

    def show_card(self, card: Card) -> None:
        self._why.show(card)

    def show_beliefs(self, beliefs: tuple[Belief, ...]) -> None:
        """All topics, best first."""
        self._beliefs.show(beliefs)


class _Why:
    def __init__(self) -> None:
        with element("div", "mill-why"):
            Words("Why this card", "h3", "mill-label")
            self._empty = Words("The first card is on its way: here it will say why it came.", "p", "mill-quiet")
            with element("div", "mill-why-told", data_shown="false") as self._told:
                self._title = Words("", "div", "mill-why-title", testid="why-title")
                with element("div", "mill-why-about"):
                    self._topic = Words("", "span", "mill-topic", testid="why-topic")
                    self._mood = Words("", "span", "mill-quiet", testid="why-mood")
                self._because = Words("", "p", "mill-because", testid="why")
                self._sources = element("ul", "mill-sources", testid="why-source", aria_label="Found by")
                self._bars = element("dl", "mill-predictions", testid="predictions")
                with element("div", "mill-place"):
                    self._rank = Words("", "span", "mill-rank", testid="rank")
                    self._score = Words("", "span", "mill-quiet mill-tabular", testid="score")
                self._ahead = Words("ahead of", "h4", "mill-label mill-ahead")
                self._beaten = element("ol", "mill-beaten", testid="beaten")
                self._explored = Words("", "p", "mill-quiet mill-explored", testid="explored")

    def show(self, card: Card) -> None:
        self._empty.set_visibility(False)
        change(self._told, data_shown="true")
        self._title.set_text(card.title)
        self._topic.set_text(card.topic)
        restyle(self._topic, hue=f"var(--fm-topic-{card.topic}, var(--fm-text-muted))")
        others = [topic for topic in card.topics if topic != card.topic]
        self._mood.set_text(" · ".join([*others, card.mood] if card.mood else others))
        self._because.set_text(sentence(card.why))
        self._sources.clear()
        with self._sources:
            for name in card.sources:
                Words(wording.source(name), "li", "mill-chip", data_source=name)
        self._show_predictions(card.predictions)
        self._rank.set_text(placed(card))
        self._score.set_text(f"score {card.score:.3f}")
        self._show_beaten(card)
        self._explored.set_text(explored(card))

    def _show_predictions(self, predictions: dict[str, float]) -> None:
        self._bars.clear()
        with self._bars:
            for name, value in predictions.items():
                with element("div", "mill-prediction", data_prediction=name, data_value=f"{value:.4f}"):
                    Words(_PREDICTIONS.get(name, name.replace("_", " ")), "dt")
                    with element("dd"):
                        restyle(element("i", "mill-bar"), share=f"{min(1.0, max(0.0, value)):.4f}")
                        Words(wording.percent(value), "b", "mill-tabular")

    def _show_beaten(self, card: Card) -> None:
        self._ahead.set_visibility(bool(card.ahead_of))
        self._beaten.clear()
        with self._beaten:
            for title, score in card.ahead_of:
                with element("li"):
                    Words(title, "span", "mill-beaten-title")
                    Words(f"{score:.3f}", "b", "mill-tabular")


def sentence(clause: str) -> str:
    """A clause as a sentence.

    >>> sentence("because you watched cats"), sentence("")
    ('Because you watched cats.', '')
    """
    clause = clause.strip()
    return f"{clause[0].upper()}{clause[1:].rstrip('.')}." if clause else ""


def explored(card: Card) -> str:
    """Why it has its place: to be tried out, for variety, or by its score."""
    if card.explored is not None:
        return f"A try, to learn about it: it had a chance of {wording.percent(card.explored)}."
    return "Placed here for variety." if card.varied else "Not a try: its score took the place."


def placed(card: Card) -> str:
    """Where it stands. A place on the page is not the rank of its score: variety and tries move cards."""
    considered = f"; {wording.count(card.considered)} considered" if card.considered else ""
    return f"Place {card.rank} of the page{considered}"


class _Beliefs:
    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        with element("div", "mill-beliefs-part"):
            with element("div", "mill-beliefs-head"):
                Words("What it believes you like", "h3", "mill-label")
                Words("share you would watch", "span", "mill-label is-faint")
            with element("ol", "mill-beliefs", testid="beliefs"):
                self._bars = {topic: _Bar(topic, place) for place, topic in enumerate(TOPIC_HUES)}

    def show(self, beliefs: tuple[Belief, ...]) -> None:
        known = [belief for belief in beliefs if belief.topic in self._bars]
        for place, belief in enumerate(known):
            self._bars[belief.topic].stand(place)
            self._bars[belief.topic].show(belief.watched, self._last.get(belief.topic))
        self._last = {belief.topic: belief.watched for belief in known}
        # Topics of which nothing is believed stand below.
        for place, topic in enumerate((topic for topic in self._bars if topic not in self._last), start=len(known)):
            self._bars[topic].stand(place)


class _Bar:
    def __init__(self, topic: str, place: int) -> None:
        with element(
            "li",
            "mill-belief",
            testid="belief",
            data_topic=topic,
            data_watched="",
            data_moved="none",
            aria_setsize=str(len(TOPIC_HUES)),
        ) as self._row:
            restyle(self._row, share="0", hue=f"var(--fm-topic-{topic})")
            Words(topic, "span", "mill-belief-topic")
            element("i", "mill-bar")
            self._change = Words("", "span", "mill-change mill-tabular")
            self._value = Words(wording.NOTHING, "b", "mill-tabular")
        self.stand(place)

    def stand(self, place: int) -> None:
        """At a place, of which 0 is the strongest belief's. It slides there by style: attributes say it to readers."""
        change(self._row, data_place=str(place), aria_posinset=str(place + 1))
        restyle(self._row, place=str(place))

    def show(self, watched: float, before: float | None) -> None:
        moved = 0.0 if before is None else watched - before
        direction = "none" if abs(moved) < MOVED else "up" if moved > 0 else "down"
        change(self._row, data_watched=f"{watched:.4f}", data_moved=direction)
        restyle(self._row, share=f"{min(1.0, max(0.0, watched)):.4f}")
        self._value.set_text(wording.percent(watched))
        arrow = {"none": "", "up": "▲", "down": "▼"}[direction]
        self._change.set_text(f"{arrow} {abs(100 * moved):.0f}" if arrow else "")
