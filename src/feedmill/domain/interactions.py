"""Who took to what, and when, as columns: what batch models learn from and protocols split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feedmill.domain.batches import Float32s, Int64s
from feedmill.domain.errors import InvalidArgument

Int32s = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Interactions:
    """n positive interactions between users and items that have ordinals from 0; make them with `of` or `from_ids`."""

    users: Int32s
    """int32 [n]"""
    items: Int32s
    """int32 [n]"""
    times: Int64s
    """int64 [n], UTC milliseconds"""
    values: Float32s
    """float32 [n], above 0: how strong each is"""
    n_users: int
    """Ordinals of users are below; not every user need have a row."""
    n_items: int

    def __len__(self) -> int:
        return len(self.users)

    @staticmethod
    def of(
        users: npt.ArrayLike,  # integers [n]
        items: npt.ArrayLike,  # integers [n]
        times: npt.ArrayLike | None = None,  # UTC milliseconds [n]; None: the order of the rows
        values: npt.ArrayLike | None = None,  # [n]; None: 1 each
        *,
        n_users: int | None = None,
        n_items: int | None = None,
    ) -> Interactions:
        """Checked columns; raises InvalidArgument, naming the column, for what is none.

        >>> Interactions.of([0, 1], [2, 2]).n_items
        3
        """
        user, item = _ordinals("users", users, n_users), _ordinals("items", items, n_items)
        time = np.arange(len(user)) if times is None else np.asarray(times)
        value = np.ones(len(user)) if values is None else np.asarray(values)
        for name, column in (("items", item), ("times", time), ("values", value)):
            if column.shape != user.shape:
                raise InvalidArgument(f"{name}: shape {column.shape}, expected {user.shape}, one a row as in users")
        if not np.issubdtype(time.dtype, np.integer):
            raise InvalidArgument(f"times: {time.dtype}, expected whole milliseconds")
        if not (np.isfinite(value) & (value > 0)).all():
            raise InvalidArgument("values: every one must be finite and above 0; leave out rows that say no interest")
        return Interactions(
            user,
            item,
            time.astype(np.int64),
            value.astype(np.float32),
            int(user.max(initial=-1)) + 1 if n_users is None else n_users,
            int(item.max(initial=-1)) + 1 if n_items is None else n_items,
        )

    @staticmethod
    def from_ids(
        users: Sequence[str],
        items: Sequence[str],
        times: npt.ArrayLike | None = None,
        values: npt.ArrayLike | None = None,
    ) -> tuple[Interactions, list[str], list[str]]:
        """The same from an application's ids, with the ids of users and items by ordinal, in order of appearance."""
        user_ids, item_ids = list(dict.fromkeys(users)), list(dict.fromkeys(items))
        user_of, item_of = ({name: i for i, name in enumerate(ids)} for ids in (user_ids, item_ids))
        rows = [user_of[user] for user in users], [item_of[item] for item in items]
        return (
            Interactions.of(*rows, times, values, n_users=len(user_ids), n_items=len(item_ids)), user_ids, item_ids
        )  # fmt: skip

    def take(self, rows: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Interactions:
        """Some rows, in the order given; the ordinals stay those of the whole."""
        return Interactions(
            self.users[rows], self.items[rows], self.times[rows], self.values[rows], self.n_users, self.n_items
        )

    def pairs(self) -> Int64s:
        """int64 [n]: a number for each row that is the same where user and item are."""
        return self.users.astype(np.int64) * self.n_items + self.items

    def by_time(self) -> Interactions:
        """The rows by time; those of the same time stay in their order."""
        return self.take(np.argsort(self.times, kind="stable"))


def _ordinals(name: str, column: npt.ArrayLike, size: int | None) -> Int32s:
    found = np.asarray(column)
    if not len(found):
        found = np.zeros(0, dtype=np.int32)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise InvalidArgument(f"{name}: {found.dtype} {found.shape}, expected whole numbers [n]; `from_ids` takes ids")
    limit = np.iinfo(np.int32).max if size is None else size
    if len(found) and not (found.min() >= 0 and found.max() < limit):
        raise InvalidArgument(f"{name}: {found.min()} to {found.max()}, expected ordinals from 0 and below {limit}")
    return found.astype(np.int32)
