"""What actions probably mean, judged by their names and values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from feedmill.domain.objectives import Action, Objective
from feedmill.domain.records import Record
from feedmill.stream.features.config import CLOCK_COMPONENTS, ITEM_COMPONENTS, USER
from feedmill.stream.importing.values import is_binary, is_missing, is_number_text


class Proposal(msgspec.Struct):
    """A configuration to start from."""

    actions: dict[str, Action] = {}
    objectives: dict[str, Objective] = {}
    features: dict[str, tuple[str, ...]] = {}
    """Settings of `FeatureConfig` (`context`, `user_attributes`, `item_attributes`) to the names that they list."""


@dataclass(slots=True)
class ActionStatistics:
    """How often an action occurs, and its values where it has some."""

    count: int = 0
    valued: int = 0
    minimum: float = float("inf")
    maximum: float = float("-inf")
    total: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.valued if self.valued else 0.0

    @property
    def varies(self) -> bool:
        return self.valued > 0 and self.maximum > self.minimum


@dataclass(slots=True)
class Tally:
    """What an import has met."""

    impressions: int = 0
    actions: dict[str, ActionStatistics] = field(default_factory=dict)

    def count(self, record: Record) -> None:
        if record.kind == "event":
            self._add(record.action, record.value)
        elif record.kind == "seen":
            self.impressions += 1
            for action, value in (record.outcomes or {}).items():
                self._add(action, value)

    def _add(self, action: str, value: float | None) -> None:
        statistics = self.actions.get(action)
        if statistics is None:
            statistics = self.actions[action] = ActionStatistics()
        statistics.count += 1
        if value is not None:
            statistics.valued += 1
            statistics.total += value
            statistics.minimum = min(statistics.minimum, value)
            statistics.maximum = max(statistics.maximum, value)


_HIDING = (
    "hide hate report block mute spam flag not_interested dont_recommend less_like_this dislike downvote thumbs_down"
)
_NEGATIVE = "skip dismiss swipe_left unlike unsave unfollow unsubscribe remove return refund cancel delete quit bounce"
_RATING = "rating rate rated score stars review_score overall"
_STRONG = (
    "purchase buy bought order checkout transaction payment pay convert conversion subscribe install book booking "
    "apply rent hire enroll signup register donate"
)
_MEDIUM = (
    "like love favorite favourite fav heart upvote thumbs_up star save bookmark pin wishlist collect share forward "
    "repost retweet reblog comment reply review follow cart basket bag download long_view complete completed finish "
    "finished recommend endorse vote join rsvp contact message"
)
_LIGHT = (
    "click tap open select choose play_start interaction interact engage engagement visit_profile profile_enter "
    "swipe_right"
)
_WATCHING = "view watch play listen stream read dwell watch_time play_time dwell_time listen_time time_spent view_time"
_IMPRESSIONS = "impression impressions seen exposure exposed shown show display displayed"

SURFACE = "surface"
"""The key of the context that every configuration of features has."""
CONTEXT = 8
"""Keys of the context that are proposed as features at most."""
ATTRIBUTES = 32
"""Attributes that are proposed slots of their own at most; the others share one."""

OBJECTIVES = 3
"""Objectives of a proposal at most: each costs a head and needs its share of examples."""

NEGATIVES = 4
"""Random items that a positive action is set against where nothing says what was passed over."""


_TAKEN = frozenset(
    (
        USER,
        *ITEM_COMPONENTS,
        *CLOCK_COMPONENTS,
        "age",
        "history",
        "interests",
        "tags",
        "user_attributes",
        "item_attributes",
    )
)
_FEW = 20
"""Values from which on it shows whether they repeat."""


def propose_context(columns: Mapping[str, Sequence[object]]) -> tuple[str, ...]:
    """Which keys of the context of events are worth a feature: the surface, then text and flags whose values repeat.

    `columns` are the values of a sample. Numbers are left out: measured with an event, they often tell its outcome.
    """
    chosen = (
        name
        for name, values in columns.items()
        if name != SURFACE
        and name not in _TAKEN
        and _repeats(values)
        and (is_binary(values) or not _is_numeric(values))
    )
    return (SURFACE, *islice(chosen, CONTEXT - 1))


def propose_attributes(columns: Mapping[str, Sequence[object]]) -> tuple[str, ...]:
    """Which attributes of users or items are worth a slot: numbers, flags, and text whose values repeat."""
    chosen = (name for name, values in columns.items() if _is_numeric(values) or _repeats(values))
    return tuple(islice(chosen, ATTRIBUTES))


def _repeats(values: Sequence[object]) -> bool:
    """Whether values say more than an id does: links and free text are different in every row."""
    present = [str(value) for value in values if not is_missing(value)]
    return bool(present) and (len(present) < _FEW or 2 * len(set(present)) <= len(present))


def _is_numeric(values: Sequence[object]) -> bool:
    present = [value for value in values if not is_missing(value)]
    return bool(present) and all(
        is_number_text(value) if isinstance(value, str) else isinstance(value, int | float) for value in present
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HIDING_WORDS, _NEGATIVE_WORDS = _words(_HIDING), _words(_NEGATIVE)
_WATCHING_WORDS, _IMPRESSION_WORDS, _RATING_WORDS = _words(_WATCHING), _words(_IMPRESSIONS), _words(_RATING)
_POSITIVE_WORDS = ((_words(_STRONG), 4.0), (_words(_MEDIUM), 2.0), (_words(_LIGHT), 1.0))


def is_impression(action: str) -> bool:
    """Whether an action's name says that the item was shown, and no more."""
    return _spell(action) in _IMPRESSION_WORDS


def propose(tally: Tally, known: dict[str, Action]) -> Proposal:
    """Meanings of the actions that are not `known`, and objectives over all of them.

    Ratings count as liked above 0.7 of the scale (3.5 of 5 stars), watching above its mean. In a log without
    impressions each action is an example of its own, and a positive one is set against random items.
    Where nothing is positive by its name, the most frequent action that is not negative is taken for it.
    """
    alone = tally.impressions == 0
    proposed: dict[str, Action] = {}
    weights: dict[str, float] = {}
    for name, statistics in tally.actions.items():
        action, weight = _judge(name, statistics)
        if name not in known:
            proposed[name] = _stand_alone(action) if alone else action
        if known.get(name, action).meaning == "positive":
            weights[name] = weight or 1.0
    neutral = [name for name, action in proposed.items() if action.meaning == "neutral"]
    if not weights and neutral:
        name = max(neutral, key=lambda name: tally.actions[name].count)
        positive = msgspec.structs.replace(proposed[name], meaning="positive")
        proposed[name] = _stand_alone(positive) if alone else positive
        weights[name] = 1.0
    frequent = sorted(weights, key=lambda name: -tally.actions[name].count)[:OBJECTIVES]
    meanings = {**proposed, **known}
    objectives = {
        "like" if _spell(name) in _RATING_WORDS else name: Objective(
            name, weight=weights[name], threshold=meanings[name].threshold
        )
        for name in frequent
    }
    return Proposal(proposed, objectives)


def _judge(name: str, statistics: ActionStatistics) -> tuple[Action, float]:
    """The action's meaning, and the weight of an objective on it."""
    spelled = _spell(name)
    parts = set(spelled.split("_")) | {spelled}
    if parts & _HIDING_WORDS or any(word in spelled for word in ("not_interest", "thumbs_down", "less_like")):
        return Action("negative", hides=True), 0.0
    if parts & _NEGATIVE_WORDS or spelled.startswith(("un_", "remove")):
        return Action("negative"), 0.0
    if parts & _RATING_WORDS:
        return Action("positive", repeats="last", threshold=_rating_threshold(statistics)), 2.0
    if spelled in _WATCHING_WORDS or (parts & _WATCHING_WORDS and statistics.varies and spelled != "long_view"):
        if statistics.varies and statistics.maximum > 1:
            return Action("positive", repeats="sum", threshold=round(statistics.mean, 3)), 1.0
        return Action("neutral", repeats="sum"), 0.0
    if spelled.endswith("_time"):
        return Action("neutral", repeats="sum"), 0.0
    for words, weight in _POSITIVE_WORDS:
        if parts & words or any("_" in word and word in spelled for word in words):
            return Action("positive"), weight
    return Action("neutral"), 0.0


def _stand_alone(action: Action) -> Action:
    """The action in a log without impressions: set against random items where it is positive.

    Ratings too: low ones say what people did not like of what they chose, and nothing of what they would not choose.
    """
    negatives = NEGATIVES if action.meaning == "positive" else 0
    return msgspec.structs.replace(action, example_without_impression=True, negatives=negatives)


def _rating_threshold(statistics: ActionStatistics) -> float:
    """0 on scales around 0 and on 0/1 (thumbs), 0.7 of the maximum elsewhere, taken up to 5, 10 or 100."""
    if not statistics.varies or statistics.minimum < 0 or statistics.maximum <= 1:
        return 0.0
    scale = next((scale for scale in (5.0, 10.0, 100.0) if statistics.maximum <= scale), statistics.maximum)
    return round(0.7 * scale, 3)


def _spell(name: str) -> str:
    """`AddToCart`, `add-to-cart` and `add to cart` as `add_to_cart`."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")
