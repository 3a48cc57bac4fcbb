"""Segments: groups that are there are found, as many as there are, and keep their ids."""

from __future__ import annotations

import numpy as np
import pytest

from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.learn.segments import SegmentsConfig, find_segments


def grouped(groups: int = 4, users: int = 200, seed: int = 0, more: int = 0) -> tuple[Interactions, np.ndarray]:
    """Users who take to ten of the twenty items of their group; `more` users who take to nothing."""
    generator = np.random.default_rng(seed)
    of_user = np.arange(users) % groups
    items = np.concatenate([20 * group + generator.choice(20, 10, replace=False) for group in of_user])
    log = Interactions.of(
        np.repeat(np.arange(users), 10), items, n_users=users + more, n_items=20 * groups, times=np.arange(10 * users)
    )
    return log, of_user


@pytest.mark.parametrize("groups", [2, 4, 7])
def test_as_many_segments_are_found_as_there_are_groups(groups: int) -> None:
    log, of_user = grouped(groups)
    found = find_segments(log)
    assert len(found.ids) == groups == max(found.silhouettes, key=lambda count: found.silhouettes[count])
    pairs = set(zip(of_user.tolist(), found.of_users.tolist(), strict=True))
    assert len(pairs) == groups


def test_who_took_to_nothing_is_in_no_segment() -> None:
    log, _ = grouped(more=3)
    found = find_segments(log)
    assert found.of_users[-3:].tolist() == [-1, -1, -1]
    assert (found.of_users[:-3] >= 0).all()
    assert not found.user_places[-3:].any()


def test_the_same_interactions_and_seed_give_the_same() -> None:
    one, other = (find_segments(grouped()[0], SegmentsConfig(seed=3)) for _ in range(2))
    assert one.of_users.tolist() == other.of_users.tolist()
    assert one.user_places.tobytes() == other.user_places.tobytes()


def test_ids_are_kept_when_segments_are_found_again_on_other_interactions() -> None:
    first = find_segments(grouped(seed=0)[0])
    # The ids have nothing to do with the order in which groups are found.
    names = {one: 10 + 3 * one for one in first.ids}
    previous = {user: names[int(one)] for user, one in enumerate(first.of_users)}
    again = find_segments(grouped(seed=1)[0], SegmentsConfig(seed=5), previous, unused=100)
    assert again.of_users.tolist() == [previous[user] for user in range(200)]


def test_a_group_that_is_new_gets_an_id_that_no_segment_has_had() -> None:
    log, of_user = grouped(5)
    four = log.take(of_user[log.users] < 4)
    first = find_segments(four)
    previous = {user: int(one) for user, one in enumerate(first.of_users) if one >= 0}
    again = find_segments(log, None, previous, unused=9)
    assert set(again.ids) == {*first.ids, 9}
    assert {int(one) for one in again.of_users[of_user == 4]} == {9}
    assert all(again.of_users[user] == one for user, one in previous.items())


def test_users_of_a_segment_are_near_each_other_on_the_map_and_near_their_items() -> None:
    log, of_user = grouped(3)
    found = find_segments(log)
    centres = np.stack([found.user_places[of_user == group].mean(axis=0) for group in range(3)])
    for places, groups in ((found.user_places, of_user), (found.item_places, np.arange(60) // 20)):
        nearest = np.linalg.norm(places[:, None] - centres[None], axis=2).argmin(axis=1)
        assert nearest.tolist() == groups.tolist()


def test_too_few_users_are_refused_and_so_are_settings_without_groups() -> None:
    with pytest.raises(InvalidArgument, match="at least 10"):
        find_segments(Interactions.of([0, 1], [0, 1]))
    with pytest.raises(ConfigError, match="at least 2"):
        SegmentsConfig(least=1)


def test_users_who_are_all_alike_are_grouped_somehow_and_the_silhouette_says_so() -> None:
    users, items = np.meshgrid(np.arange(30), np.arange(4), indexing="ij")
    generator = np.random.default_rng(0)
    kept = generator.random(users.shape) < 0.7
    found = find_segments(Interactions.of(users[kept], items[kept], n_users=30))
    assert found.ids
    assert all(-1 <= value <= 1 for value in found.silhouettes.values())
