"""What every batch model must do. A subclass says how to make one, and above what it must come; pytest does the rest.

class TestMyModel(BatchModelContract):
    floor = 0.5

    def make(self, seed=0):
        return MyModel(MyConfig(seed=seed))
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument, SnapshotError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.batch import BatchModel
from feedmill.measure.evaluation.temporal import LeaveLastOut
from feedmill.measure.metrics import hits_in_arrays

USERS, ITEMS, TOPICS = 120, 80, 4
K = 10


def taste_interactions(seed: int = 0, per_user: int = 12) -> Interactions:
    """Users who take to items of one topic five times in six, popular ones oftener; items 78 and 79 to nobody."""
    generator = np.random.default_rng(seed)
    popularity = 1 / np.arange(2, ITEMS)
    popularity = np.append(popularity, [0, 0])
    users, items = [], []
    for user in range(USERS):
        fits = np.where(np.arange(ITEMS) % TOPICS == user % TOPICS, 15.0, 1.0) * popularity
        users += [user] * per_user
        items += generator.choice(ITEMS, per_user, replace=False, p=fits / fits.sum()).tolist()
    order = generator.permutation(len(users))
    return Interactions.of(np.array(users)[order], np.array(items)[order], n_users=USERS, n_items=ITEMS)


class BatchModelContract:
    """The tests of a model that learns from all interactions at once: a `feedmill.learn.models.batch.BatchModel`."""

    floor: float
    """The hit rate at 10 that it beats on each user's last of twelve interactions; chance has .15, popularity .38."""

    def make(self, seed: int = 0) -> BatchModel:
        """A new model that has learned nothing, small enough to learn in a second."""
        raise NotImplementedError

    def fitted(self, seed: int = 0) -> BatchModel:
        return self.make(seed).fit(taste_interactions())

    def test_everything_that_tuning_may_choose_makes_a_model(self) -> None:
        kind = type(self.make())
        assert kind.space
        for name, span in kind.space.items():
            assert span.low < span.high
            for value in (span.low, span.high):
                config = msgspec.convert({name: int(value) if span.whole else float(value)}, kind.Config)
                assert getattr(config, name) == value
            given = getattr(kind.Config(), name)
            assert given is None or span.low <= given <= span.high

    def test_it_beats_its_floor(self) -> None:
        found = []
        for seed in range(3):
            (split,) = LeaveLastOut().splits(taste_interactions(seed))
            lists, _ = self.make().fit(split.train).recommend(split.users, K)
            rows = np.searchsorted(split.users, split.test.users)
            found.append(hits_in_arrays(lists, rows, split.test.items).means().hit_rate)
        assert np.mean(found) > self.floor

    def test_lists_have_their_shape_and_are_ordered_and_hold_nothing_twice(self) -> None:
        items, scores = self.fitted().recommend(np.arange(USERS), K)
        assert items.shape == scores.shape == (USERS, K)
        assert items.dtype == np.int32
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert (np.diff(scores, axis=1) <= 0).all()
        assert all(len(set(row)) == K for row in items.tolist())

    def test_what_a_user_took_to_and_what_nobody_did_is_not_recommended(self) -> None:
        train = taste_interactions()
        items, _ = self.make().fit(train).recommend(np.arange(USERS), ITEMS)
        for user in range(USERS):
            listed = items[user][items[user] >= 0]
            assert not set(listed) & set(train.items[train.users == user].tolist())
            assert set(listed) <= set(train.items.tolist())

    def test_a_list_that_is_longer_than_the_catalogue_ends_in_minus_one(self) -> None:
        items, scores = self.fitted().recommend([0], ITEMS + 5)
        assert items.shape == (1, ITEMS + 5)
        ended = items[0] < 0
        assert ended.sum() >= 5 + 12
        assert (scores[0][ended] == 0).all()
        assert not ended[: ITEMS - 12 - 2].any()

    def test_predictions_are_the_scores_of_the_lists(self) -> None:
        model = self.fitted()
        items, scores = model.recommend([3, 5], K)
        users = np.repeat([3, 5], K)
        np.testing.assert_allclose(model.predict(users, items.ravel()), scores.ravel(), rtol=1e-4, atol=1e-6)

    def test_candidates_are_all_that_is_recommended(self) -> None:
        wanted = np.zeros(ITEMS, dtype=bool)
        wanted[[4, 9, 79]] = True
        items, _ = self.fitted().recommend(np.arange(USERS), K, candidates=wanted)
        assert set(np.unique(items).tolist()) <= {-1, 4, 9}

    def test_unknown_users_get_what_is_popular_and_unknown_pairs_score_zero(self) -> None:
        train = taste_interactions()
        model = self.make().fit(train)
        items, _ = model.recommend([USERS, -1, 10**9], K)
        counts = np.bincount(train.items, minlength=ITEMS)
        assert (np.diff(counts[items], axis=1) <= 0).all()
        assert counts[items[0, 0]] == counts.max()
        assert model.predict([USERS, -1, 0, 0, 0], [0, 0, ITEMS, -1, 79]).tolist() == [0] * 5

    def test_a_history_that_is_given_stands_for_a_user_who_was_not_learned_of(self) -> None:
        model = self.fitted()
        alike = Interactions.of([0, 0, 0, 1, 1, 1], [4, 8, 12, 5, 9, 13], n_users=2, n_items=ITEMS)
        items, scores = model.recommend([0, 1], 20, history=alike)
        assert np.isfinite(scores).all()
        assert not set(items[0].tolist()) & {4, 8, 12}
        assert not set(items[1].tolist()) & {5, 9, 13}

    def test_an_empty_history_gets_what_is_popular(self) -> None:
        model = self.fitted()
        nothing = Interactions.of([], [], n_users=3, n_items=ITEMS)
        items, _ = model.recommend([0, 2], K, history=nothing)
        assert items.tolist() == model.recommend([USERS, USERS], K)[0].tolist()

    def test_a_user_who_took_to_nothing_is_unknown_though_there_are_more_users_than_rows(self) -> None:
        log = taste_interactions()
        model = self.make().fit(log.take(log.users != 7))
        assert model.predict([7, 7, 7], [0, 5, 40]).tolist() == [0, 0, 0]
        assert model.recommend([7], K)[0].tolist() == model.recommend([USERS], K)[0].tolist()

    def test_a_history_or_candidates_of_another_catalogue_are_refused(self) -> None:
        with pytest.raises(InvalidArgument, match="candidates: shape"):
            self.fitted().recommend([0], K, candidates=np.ones(3, dtype=bool))
        with pytest.raises(InvalidArgument, match=f"expected the {ITEMS}"):
            self.fitted().recommend([0], K, history=Interactions.of([0], [0], n_items=3))

    def test_without_interactions_it_recommends_nothing(self) -> None:
        model = self.make().fit(Interactions.of([], [], n_users=2, n_items=3))
        assert (model.recommend([0, 1, 7], 2)[0] == -1).all()
        assert model.predict([0], [0]).tolist() == [0]

    def test_before_it_has_learned_it_recommends_nothing(self) -> None:
        assert (self.make().recommend([0], 2)[0] == -1).all()

    def test_one_interaction_is_enough_to_recommend_the_item_to_others(self) -> None:
        model = self.make().fit(Interactions.of([1], [2], n_users=3, n_items=4))
        assert model.recommend([0, 1], 2)[0].tolist() == [[2, -1], [-1, -1]]

    def test_the_same_seed_gives_the_same_answers(self) -> None:
        one, other = self.fitted(3).recommend(np.arange(USERS), K), self.fitted(3).recommend(np.arange(USERS), K)
        assert one[0].tolist() == other[0].tolist()
        assert one[1].tobytes() == other[1].tobytes()

    def test_the_same_seed_gives_the_same_answers_where_users_and_items_cannot_be_told_apart(self) -> None:
        users, items = np.meshgrid(np.arange(12), np.arange(9), indexing="ij")
        kept = (users + items) % 3 > 0
        alike = Interactions.of(users[kept], items[kept])
        answers = [self.make().fit(alike).recommend(np.arange(12), 4) for _ in range(5)]
        assert len({lists.tobytes() for lists, _ in answers}) == 1
        assert len({scores.tobytes() for _, scores in answers}) == 1

    def test_a_second_fit_forgets_the_first(self) -> None:
        model = self.fitted()
        model.recommend(np.arange(USERS), K)
        again = model.fit(taste_interactions(1)).recommend(np.arange(USERS), K)[1]
        assert again.tobytes() == self.make().fit(taste_interactions(1)).recommend(np.arange(USERS), K)[1].tobytes()

    def test_a_model_that_was_kept_answers_as_before(self, tmp_path: Path) -> None:
        model = self.fitted(4)
        model.save(tmp_path / "model")
        kept = type(model).load(tmp_path / "model")
        assert kept.config == model.config
        given = Interactions.of([0, 0, 1], [4, 8, 5], n_users=2, n_items=ITEMS)
        for users, history in ((np.arange(-1, USERS + 1), None), (np.arange(2), given)):
            answers = (one.recommend(users, K, history=history) for one in (model, kept))
            for one, other in zip(*answers, strict=True):
                assert one.tobytes() == other.tobytes()

    def test_a_file_that_is_cut_off_or_another_models_is_refused(self, tmp_path: Path) -> None:
        model = self.fitted()
        path = tmp_path / "model"
        model.save(path)
        content = path.read_bytes()
        for part in (b"", content[: len(content) // 2], b"no model at all"):
            path.write_bytes(part)
            with pytest.raises(SnapshotError, match="no model that can be read"):
                type(model).load(path)
        path.write_bytes(content)
        other: type[BatchModel] = type("Other", (type(model),), {"name": "other"})
        with pytest.raises(SnapshotError, match=f"'{model.name}', not 'other'"):
            other.load(path)

    def test_what_happens_in_the_test_part_changes_nothing_in_what_was_predicted_before_it(self) -> None:
        log = taste_interactions().by_time()
        train, test = log.take(np.arange(1_000)), log.take(np.arange(1_000, len(log)))
        before = self.make().fit(train).recommend(np.arange(USERS), K)
        generator = np.random.default_rng(0)
        # The same past, ahead of another future in the same columns.
        changed = Interactions.of(
            np.append(train.users, generator.permutation(test.users)),
            np.append(train.items, generator.integers(ITEMS, size=len(test))),
            np.append(train.times, test.times),
            n_users=USERS,
            n_items=ITEMS,
        )
        after = self.make().fit(changed.take(changed.times < test.times.min())).recommend(np.arange(USERS), K)
        assert before[0].tobytes() == after[0].tobytes()
        assert before[1].tobytes() == after[1].tobytes()
