"""What outcomes mean: labels of the objectives, and whether the user liked what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from feedmill.domain.objectives import Action, Objective


class Feedback(NamedTuple):
    """The meaning of what followed an impression."""

    labels: list[float]
    """A label an objective."""
    weight: float
    """1 liked, -1 disliked, 0 neither."""
    hides: bool
    """The user does not want to see the item again."""


class FeedbackReader:
    """Reads outcomes by the configuration of actions and objectives."""

    def __init__(self, actions: Mapping[str, Action], objectives: Mapping[str, Objective]) -> None:
        self.actions = dict(actions)
        self.objectives = dict(objectives)
        self._objectives = tuple(objectives.values())
        self._of_action: dict[str, list[tuple[int, Objective]]] = {}
        for index, objective in enumerate(self._objectives):
            self._of_action.setdefault(objective.action, []).append((index, objective))
        self.nothing = Feedback([0.0] * len(self._objectives), 0.0, hides=False)
        """What it means that nothing followed."""

    def read(self, outcomes: Mapping[str, float]) -> Feedback:
        """Labels and meaning of the combined outcomes of one impression (action to value)."""
        labels = self.nothing.labels.copy()
        weight = 0.0
        hides = False
        for name, value in outcomes.items():
            for index, objective in self._of_action.get(name, ()):
                labels[index] = objective.label(outcomes)
            action = self.actions.get(name)
            if action is None:
                continue
            if value > action.threshold:
                hides = hides or action.hides
                if action.meaning == "negative":
                    weight = -1.0
                elif action.meaning == "positive" and weight == 0:
                    weight = 1.0
        return Feedback(labels, weight, hides)

    def about(self, action: str) -> list[int]:
        """The indexes of the objectives that an action says something about."""
        return [index for index, _ in self._of_action.get(action, ())]

    def combine(self, outcomes: dict[str, float], action: str, value: float) -> None:
        """Add an action to the outcomes of an impression, in place, as its configuration says repeats combine."""
        known = outcomes.get(action)
        rule = self.actions[action].repeats if action in self.actions else "max"
        if known is None or rule == "last":
            outcomes[action] = value
        elif rule == "sum":
            outcomes[action] = known + value
        elif rule == "max":
            outcomes[action] = max(known, value)
