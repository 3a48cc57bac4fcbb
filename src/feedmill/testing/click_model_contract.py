"""What every click-through model must do. A subclass says how to make one, and above what it must come; pytest does the
rest.

class TestMyModel(ClickModelContract):
    floor = 0.7

    def make(self, seed=0):
        return MyModel(MyConfig(seed=seed))
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from feedmill.domain.batches import Examples, Features
from feedmill.domain.errors import InvalidArgument, SnapshotError
from feedmill.domain.ids import feature_ids
from feedmill.learn.models.click import ClickModel
from feedmill.measure.metrics.classification import auc

USERS, ITEMS, TOPICS = 40, 30, 3
SLOTS, DENSE = 4, 2


def taste_examples(rows: int = 4_000, seed: int = 0, *, shift: int = 0) -> Examples:
    """Impressions in which users click on items of their topic three times in four, on others one time in ten.

    Slots: user, item, user x topic, tags (none, one or two, which say nothing). The second objective is a value: 2
    where a user sees his or her topic, else 0, and noise. Dense columns say nothing. `shift` gives all
    users another topic.
    """
    generator = np.random.default_rng(seed)
    users, items = generator.integers(USERS, size=rows), generator.integers(ITEMS, size=rows)
    fits = (users + shift) % TOPICS == items % TOPICS
    lengths = np.ones((rows, SLOTS), dtype=np.int64)
    lengths[:, 3] = generator.integers(3, size=rows)
    offsets = np.append(0, np.cumsum(lengths))
    ids = np.zeros(offsets[-1], dtype=np.uint64)
    for slot, keys in enumerate((users, items, users * TOPICS + items % TOPICS)):
        ids[offsets[:-1].reshape(rows, SLOTS)[:, slot]] = feature_ids(5 + slot, keys.astype(np.uint64) + np.uint64(1))
    empty = ids == 0
    ids[empty] = feature_ids(8, generator.integers(1, 9, size=int(empty.sum())).astype(np.uint64))
    clicks = generator.random(rows) < np.where(fits, 0.75, 0.1)
    values = np.where(fits, 2.0, 0.0) + generator.normal(size=rows) / 4
    times = 1_700_000_000_000 + np.arange(rows) * 1_000
    return Examples(
        Features(ids, offsets, generator.normal(size=(rows, DENSE)).astype(np.float32)),
        np.stack([clicks, values], axis=1).astype(np.float32),
        np.ones((rows, 2), dtype=np.float32),
        users.astype(np.uint64) + np.uint64(1),
        items.astype(np.uint64) + np.uint64(1),
        times,
        np.arange(rows),
    )


class ClickModelContract:
    """The tests of a model that learns from examples: a `feedmill.learn.models.click.ClickModel`."""

    floor: float
    """The AUC that it beats on rows that it has not learned; the truth itself has .84, chance .5."""
    binary = (True, False)

    def make(self, seed: int = 0) -> ClickModel:
        """A new model that has learned nothing, small enough to learn in a second."""
        raise NotImplementedError

    def fitted(self, seed: int = 0) -> ClickModel:
        return self.make(seed).fit(taste_examples(), self.binary)

    def test_everything_that_tuning_may_choose_makes_a_model(self) -> None:
        kind = type(self.make())
        assert kind.space
        for name, span in kind.space.items():
            for value in (span.low, span.high):
                config = msgspec.convert({name: int(value) if span.whole else float(value)}, kind.Config)
                assert getattr(config, name) == value
            assert span.low <= getattr(kind.Config(), name) <= span.high

    def test_it_beats_its_floor_on_what_it_has_not_learned(self) -> None:
        unseen = taste_examples(2_000, seed=9)
        predicted = self.fitted().predict(unseen.features)
        assert auc(unseen.labels[:, 0], predicted[:, 0]) > self.floor
        errors = predicted[:, 1] - unseen.labels[:, 1]
        assert np.square(errors).mean() < 0.5 * unseen.labels[:, 1].var()

    def test_predictions_have_their_shape_and_are_probabilities_where_the_objective_is_binary(self) -> None:
        predicted = self.fitted().predict(taste_examples(50, seed=3).features)
        assert predicted.shape == (50, 2)
        assert predicted.dtype == np.float32
        assert np.isfinite(predicted).all()
        assert ((predicted[:, 0] > 0) & (predicted[:, 0] < 1)).all()

    def test_clicks_are_predicted_as_often_as_they_come(self) -> None:
        unseen = taste_examples(2_000, seed=9)
        assert self.fitted().predict(unseen.features)[:, 0].mean() == pytest.approx(
            unseen.labels[:, 0].mean(), abs=0.05
        )

    def test_a_row_is_predicted_alike_alone_and_among_others(self) -> None:
        model, features = self.fitted(), taste_examples(20, seed=3).features
        together = model.predict(features)
        alone = [model.predict(features.take(np.array([row])))[0] for row in range(20)]
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)

    def test_candidates_are_recommended_best_first(self) -> None:
        model, features = self.fitted(), taste_examples(30, seed=3).features
        rows, scores = model.recommend(features, 8)
        assert rows.shape == (8,)
        assert rows.dtype == np.int32
        predicted = model.predict(features)[:, 0]
        assert scores.tolist() == np.sort(predicted)[::-1][:8].tolist()
        assert scores.tolist() == predicted[rows].tolist()
        assert len(model.recommend(features, 100)[0]) == 30

    def test_ids_that_were_not_learned_are_predicted(self) -> None:
        features = taste_examples(30, seed=3).features
        strange = Features(features.ids ^ np.uint64(0xABCDEF00), features.offsets, features.dense)
        predicted = self.fitted().predict(strange)
        assert np.isfinite(predicted).all()

    def test_no_rows_give_no_predictions(self) -> None:
        model = self.fitted()
        nothing = Features(np.empty(0, np.uint64), np.zeros(1, np.int64), np.empty((0, DENSE), np.float32))
        assert model.predict(nothing).shape == (0, 2)
        assert len(model.recommend(nothing, 5)[0]) == 0

    def test_one_example_is_enough_to_predict(self) -> None:
        model = self.make().fit(taste_examples(1), self.binary)
        assert np.isfinite(model.predict(taste_examples(5).features)).all()

    def test_labels_that_are_all_alike_are_learned(self) -> None:
        examples = taste_examples()
        examples.labels[:, 0] = 0
        predicted = self.make().fit(examples, self.binary).predict(examples.features)
        assert predicted[:, 0].mean() < 0.1

    def test_before_it_has_learned_and_without_examples_it_says_so(self) -> None:
        with pytest.raises(InvalidArgument, match="call fit first"):
            self.make().predict(taste_examples(2).features)
        with pytest.raises(InvalidArgument, match="no examples"):
            self.make().fit(taste_examples(2).take(np.arange(0)))

    def test_features_of_another_shape_are_refused(self) -> None:
        features = taste_examples(5).features
        wider = Features(features.ids, features.offsets, np.zeros((5, DENSE + 1), dtype=np.float32))
        with pytest.raises(InvalidArgument, match=f"{DENSE} dense columns"):
            self.fitted().predict(wider)

    def test_the_same_seed_gives_the_same_predictions(self) -> None:
        features = taste_examples(100, seed=3).features
        assert self.fitted(3).predict(features).tobytes() == self.fitted(3).predict(features).tobytes()

    def test_a_second_fit_forgets_the_first(self) -> None:
        features = taste_examples(100, seed=3).features
        again = self.fitted().fit(taste_examples(500, seed=5), self.binary).predict(features)
        assert again.tobytes() == self.make().fit(taste_examples(500, seed=5), self.binary).predict(features).tobytes()

    def test_what_was_taken_back_was_not_learned(self) -> None:
        """Each example of a world with other tastes comes and is taken back; what is left is the first world."""
        features = taste_examples(1_000, seed=3).features
        first, wrong = taste_examples(2_000), taste_examples(2_000, seed=5, shift=1)
        back = Examples(
            wrong.features, wrong.labels, -wrong.weights, wrong.users, wrong.items, wrong.timestamps, wrong.sequence
        )
        model = self.make().fit(Examples.concatenate([wrong, back, first]), self.binary)
        truth = taste_examples(1_000, seed=3).labels[:, 0]
        assert auc(truth, model.predict(features)[:, 0]) > 0.6

    def test_a_row_without_weight_says_nothing_of_its_objective(self) -> None:
        examples = taste_examples(2_000)
        silent = np.arange(2_000) >= 1_000
        examples.labels[silent, 0] = 1 - examples.labels[silent, 0]
        examples.weights[silent, 0] = 0
        unseen = taste_examples(1_000, seed=9)
        predicted = self.make().fit(examples, self.binary).predict(unseen.features)
        assert auc(unseen.labels[:, 0], predicted[:, 0]) > 0.6

    def test_a_model_that_was_kept_predicts_as_before(self, tmp_path: Path) -> None:
        model, features = self.fitted(4), taste_examples(100, seed=3).features
        model.save(tmp_path / "model")
        kept = type(model).load(tmp_path / "model")
        assert kept.config == model.config
        assert kept.predict(features).tobytes() == model.predict(features).tobytes()

    def test_a_file_that_is_cut_off_or_another_models_is_refused(self, tmp_path: Path) -> None:
        model, path = self.fitted(), tmp_path / "model"
        model.save(path)
        content = path.read_bytes()
        for part in (b"", content[: len(content) // 2], b"no model at all"):
            path.write_bytes(part)
            with pytest.raises(SnapshotError, match="no model that can be read"):
                type(model).load(path)
        path.write_bytes(content)
        other: type[ClickModel] = type("Other", (type(model),), {"name": "other"})
        with pytest.raises(SnapshotError, match=f"'{model.name}', not 'other'"):
            other.load(path)

    def test_what_happens_later_changes_nothing_in_what_was_predicted_before_it(self) -> None:
        past, features = taste_examples(1_500), taste_examples(100, seed=3).features
        before = self.make().fit(past, self.binary).predict(features)
        whole = Examples.concatenate([past, taste_examples(500, seed=11, shift=1)])
        after = self.make().fit(whole.take(np.arange(1_500)), self.binary).predict(features)
        assert before.tobytes() == after.tobytes()
