"""Models that learn in batch, asked at the split of a trial beside Feedmill and popularity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedmill.domain.interactions import Interactions
from feedmill.domain.records import Record
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.item_neighbours import ItemNeighbours
from feedmill.learn.models.svd import Svd
from feedmill.learn.models.user_neighbours import UserNeighbours
from feedmill.learn.training.learner import Learner
from feedmill.run.trial_ranking import LISTS, likes

MODELS: tuple[type[BatchModel], ...] = (ItemNeighbours, UserNeighbours, Svd)
"""Those that learn from a hundred thousand events in some seconds, with what every installation has."""
_MORE = 20
"""Models are asked for so many lists' worth, since they know what was liked, and not what else was seen."""


class BatchLists:
    """Likes as they come, and what each model makes of them."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._users: list[int] = []
        self._items: list[int] = []

    def add(self, records: Sequence[Record]) -> None:
        """Count the likes among records that the learner has folded."""
        catalog = self._learner.state.catalog
        for record in records:
            if likes(self._learner, record):
                self._users.append(catalog.users.ids.find(record.subject))
                self._items.append(catalog.items.ids.find(record.object))

    def of(self, user_ids: Sequence[str]) -> dict[str, list[list[str]]]:
        """By model, ten item ids for each user that he or she has not seen; learns first."""
        state = self._learner.state
        users, items = state.catalog.users, state.catalog.items
        likes_so_far = Interactions.of(self._users, self._items, n_users=len(users), n_items=len(items))
        asked = np.array([users.ids.find(user) for user in user_ids], dtype=np.int64)
        answers: dict[str, list[list[str]]] = {}
        for kind in MODELS:
            lists, _ = kind().fit(likes_so_far).recommend(asked, LISTS * _MORE, candidates=items.servable[: len(items)])
            rows = []
            for user, row in zip(asked.tolist(), lists, strict=True):
                found = row[row >= 0]
                unseen = found if user < 0 else found[state.views(user, found) == 0]
                rows.append([items.ids.names[item] for item in unseen[:LISTS]])
            answers[kind.name] = rows
        return answers
