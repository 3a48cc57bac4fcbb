"""What knows everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedmill.domain.records import Record
from feedmill.simulation.policies.protocol import Slate
from feedmill.simulation.world import World


class Oracle:
    """What knows the world's hidden tastes, and fills each place of a full page with what is then watched most.

    In engagement, the mean watched share, it is the yardstick among policies that fill their pages. It is greedy and
    plans nothing (`World.oracle`). Who shows fewer items a page raises the mean share, and longer items raise minutes:
    the oracle is no bound for either.
    """

    name = "oracle"

    def __init__(self, world: World) -> None:
        """`world` is the copy that the oracle lives in."""
        self._world = world
        self._index = {user_id: i for i, user_id in enumerate(world.users.ids)}

    def slate(self, user_ids: Sequence[str], now: int, k: int) -> list[Slate]:
        users = np.array([self._index[user_id] for user_id in user_ids], dtype=np.int64)
        ids = self._world.items.ids
        return [Slate([ids[i] for i in row if i >= 0]) for row in self._world.oracle(users, k).tolist()]

    def observe(self, records: Sequence[Record]) -> None:
        """Nothing: it knows already."""
