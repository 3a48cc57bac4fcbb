"""What happens in the world, as the records that an application would send."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from feedmill.domain.batches import Int64s
from feedmill.domain.records import Record
from feedmill.simulation.world import Responses, Step, World

FLAGS = {
    "click": "clicked",
    "like": "liked",
    "share": "shared",
    "comment": "commented",
    "save": "saved",
    "follow": "followed",
    "hide": "hidden",
    "report": "reported",
    "skip": "skipped",
}
"""Actions without a value of their own, and the column of `Responses` that says where they followed."""


def arrivals_of(world: World, step: Step) -> list[Record]:
    """The upserts of the items born and the users joined in a step, in order of time."""
    records = [
        Record("item", world.items.bodies[i].created_at or 0, object=world.items.ids[i], body=world.items.bodies[i])
        for i in step.born.tolist()
    ]
    records += [
        Record("user", world.users.bodies[i].created_at or 0, subject=world.users.ids[i], body=world.users.bodies[i])
        for i in step.joined.tolist()
    ]
    records.sort(key=lambda record: record.timestamp)
    return records


def seen_in(world: World, responses: Responses, request_ids: Sequence[str] = ()) -> list[Record]:
    """A `seen` record for each impression, with what followed as its outcomes, and a relation for each follow, in order
    of time.

    Outcomes: `watched` (share of the item, 0 to 1) and `view` (seconds) always; `click`, `like`, `share`, `comment`,
    `save`, `follow`, `hide`, `report`, `skip` with 1 where they happened. `request_ids` [b] are those of the slates.
    """
    records: list[Record] = []
    flags = np.stack([getattr(responses, column) for column in FLAGS.values()], axis=-1)
    rows, places = np.nonzero(responses.seen)
    columns = (
        rows.tolist(),
        places.tolist(),
        responses.items[rows, places].tolist(),
        responses.timestamps[rows, places].tolist(),
        responses.watched[rows, places].tolist(),
        responses.seconds[rows, places].tolist(),
        flags[rows, places].tolist(),
    )
    users: Int64s = responses.users
    for row, place, item, time, watched, seconds, happened in zip(*columns, strict=True):
        user_id, item_id = world.users.ids[users[row]], world.items.ids[item]
        outcomes = {"watched": watched, "view": seconds}
        outcomes.update((action, 1.0) for action, true in zip(FLAGS, happened, strict=True) if true)
        records.append(
            Record(
                "seen",
                time,
                subject=user_id,
                object=item_id,
                event_id=f"{user_id}/{item_id}/{time}",
                request_id=request_ids[row] if request_ids else "",
                context={"position": place},
                outcomes=outcomes,
            )
        )
        if "follow" in outcomes:
            author = world.items.bodies[item].author_id or ""
            records.append(
                Record(
                    "relation",
                    time + int(seconds * 1000),
                    subject=user_id,
                    object=author,
                    action="follow",
                    event_id=f"{user_id}/follow/{author}",
                    object_kind="author",
                )
            )
    records.sort(key=lambda record: record.timestamp)
    return records
