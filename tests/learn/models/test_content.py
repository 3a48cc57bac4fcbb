"""Content: what is like what the user liked, items that nobody has met among it; missing attributes by their rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from feedmill.domain.errors import InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.domain.records import Item
from feedmill.learn.models.content import Content, ContentConfig
from feedmill.learn.models.item_neighbours import ItemNeighbours
from feedmill.learn.models.missing import MissingValues
from feedmill.measure.evaluation.cold_start import ItemColdStart
from feedmill.measure.metrics import hits_in_arrays
from feedmill.testing.batch_model_contract import taste_interactions

BODIES = {
    0: Item(title="A night in Rome", tags=("travel", "city")),
    1: Item(title="Rome by night", text="the city and its night"),
    2: Item(title="Bread at home", tags=("cooking",)),
    3: Item(title="Baking bread", categories=("cooking",), tags=("cooking",)),
    4: Item(title="Nights of Rome"),
}
LOG = Interactions.of([0, 1, 1, 2], [0, 2, 0, 3], n_users=3, n_items=6)


def test_scores_are_the_cosines_of_tf_idf_as_scikit_learn_has_it() -> None:
    told = TfidfVectorizer(analyzer=lambda body: f"{body.title} {body.text}".lower().split())
    bodies = {item: Item(title=body.title, text=body.text) for item, body in BODIES.items()}
    model = Content().describe(bodies).fit(LOG)
    words = told.fit_transform([bodies[item] for item in (0, 2, 3)]).toarray()
    # The words of one letter stand in no vector of ours.
    words = np.delete(words, told.vocabulary_["a"], axis=1)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    profile = words[0] + words[1]
    expected = words @ profile / np.linalg.norm(profile)
    np.testing.assert_allclose(model.predict([1, 1, 1], [0, 2, 3]), expected, atol=1e-6)


def test_items_that_nobody_has_met_are_recommended_where_they_are_candidates() -> None:
    model = Content().describe(BODIES).fit(LOG)
    assert set(model.recommend([0], 6)[0][0].tolist()) == {2, 3, -1}
    items, scores = model.recommend([0], 6, candidates=np.array([False, True, False, False, True, True]))
    # Item 5 is not described, and nobody took to it: there is nothing to say of it.
    assert items[0].tolist()[:3] == [1, 4, -1]
    assert (scores[0, :2] > 0).all()


def test_items_that_come_after_the_fit_are_described_by_what_was_learned() -> None:
    model = Content().describe({item: BODIES[item] for item in (0, 2, 3)}).fit(LOG)
    model.describe({7: Item(title="Rome", tags=("travel",)), 8: Item(title="Bread")})
    assert model.n_items == 9
    asked = np.zeros(9, dtype=bool)
    asked[[7, 8]] = True
    assert model.recommend([0, 2], 1, candidates=asked)[0].tolist() == [[7], [8]]


def test_the_vocabulary_and_its_weights_are_those_of_the_training_part() -> None:
    train = {item: BODIES[item] for item in (0, 2, 3)}
    alone = Content().describe(train).fit(LOG)
    with_future = Content().describe({**train, 1: BODIES[1], 4: Item(title="night night bread travel")}).fit(LOG)
    assert alone.idf.tobytes() == with_future.idf.tobytes()
    assert alone.terms.tobytes() == with_future.terms.tobytes()
    pairs = [0, 0, 1, 1, 2, 2], [2, 3, 0, 3, 0, 2]
    assert alone.predict(*pairs).tobytes() == with_future.predict(*pairs).tobytes()


def test_numbers_that_items_have_bring_them_together_and_rules_fill_what_is_missing(tmp_path: Path) -> None:
    lengths = {0: 10.0, 1: 11.0, 2: 90.0, 3: 100.0, 4: None, 5: 95.0}
    bodies = {item: Item(duration=length) for item, length in lengths.items()}
    log = Interactions.of([0, 1, 1, 1, 1], [0, 1, 2, 3, 4], n_users=2, n_items=6)
    model = Content(ContentConfig(attributes={"duration": "median"})).describe(bodies).fit(log)
    scores = dict(zip(range(6), model.predict(np.zeros(6, dtype=int), np.arange(6)).tolist(), strict=True))
    assert scores[1] > 0 > max(scores[2], scores[3], scores[5])
    # The median of 10, 11, 90 and 100 is below their mean.
    assert scores[4] > 0
    model.save(tmp_path / "model")
    kept = Content.load(tmp_path / "model").describe({5: Item()})
    assert kept.predict([0], [5])[0] == pytest.approx(scores[4])


def test_what_a_dropped_attribute_is_missing_of_has_nothing_to_be_compared_by() -> None:
    bodies = {0: Item(title="Rome", duration=10.0), 1: Item(title="Rome"), 2: Item(title="Rome", duration=30.0)}
    log = Interactions.of([0, 1, 1], [0, 1, 2], n_items=3)
    model = Content(ContentConfig(attributes={"duration": "drop"})).describe(bodies).fit(log)
    assert model.predict([0, 0], [1, 2]).tolist()[0] == 0
    assert model.predict([0], [2])[0] > 0


def table(seed: int = 0) -> np.ndarray:
    """Three attributes, the third the sum of the others; one value in five is missing."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(300, 2)) * [1, 10]
    whole = np.column_stack([rows, rows.sum(axis=1)])
    return np.where(generator.random(whole.shape) < 0.2, np.nan, whole)


@pytest.mark.parametrize(("rule", "value"), [("mean", 7 / 3), ("median", 2.0), ("mode", 1.0)])
def test_simple_rules_fill_with_a_number_of_the_training_part(rule, value) -> None:
    rows = np.array([[1.0], [2.0], [4.0]]) if rule != "mode" else np.array([[1.0], [1.0], [4.0]])
    rules = MissingValues({"a": rule}).fit(rows)
    filled, kept = rules.fill(np.array([[np.nan], [9.0]]))
    assert kept.all()
    assert filled[0, 0] * rows.std() + rows.mean() == pytest.approx(value)


@pytest.mark.parametrize(("rule", "share"), [("nearest", 0.75), ("iterative", 0.2)])
def test_rules_that_look_at_other_attributes_come_closer_than_the_mean(rule, share) -> None:
    rows = table()
    errors = {}
    for name in (rule, "mean"):
        rules = MissingValues(dict.fromkeys(("a", "b", "c"), name)).fit(rows)
        asked = np.random.default_rng(1).normal(size=(100, 2)) * [1, 10]
        filled, _ = rules.fill(np.column_stack([asked, np.full(100, np.nan)]))
        spread, centre = np.nanstd(rows[:, 2]), np.nanmean(rows[:, 2])
        errors[name] = np.abs(filled[:, 2] * spread + centre - asked.sum(axis=1)).mean()
    assert errors[rule] < share * errors["mean"]


@pytest.mark.parametrize("rule", ["drop", "mean", "median", "mode", "nearest", "iterative"])
def test_rows_of_the_test_part_change_nothing_in_what_is_filled(rule) -> None:
    rules = MissingValues(dict.fromkeys(("a", "b", "c"), rule)).fit(table())
    asked = table(1)[:20]
    alone, _ = rules.fill(asked)
    among_others, _ = rules.fill(np.concatenate([asked, 1_000 * table(2)]))
    np.testing.assert_allclose(alone, among_others[:20])
    again, _ = MissingValues(rules.rules).fit(rules.training).fill(asked)
    assert again.tobytes() == alone.tobytes()


def test_rows_that_lack_a_dropped_attribute_are_named() -> None:
    rules = MissingValues({"a": "drop", "b": "mean"}).fit(np.array([[1.0, 2.0], [3.0, np.nan]]))
    assert rules.fill(np.array([[np.nan, 1.0], [1.0, np.nan]]))[1].tolist() == [False, True]


def test_an_attribute_that_no_row_has_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgument, match="attribute 'year'"):
        MissingValues({"year": "mean"}).fit(np.array([[np.nan]]))


def test_unseen_items_are_found_by_what_is_said_of_them_far_above_chance() -> None:
    """The last quarter of the items has been met by nobody in the training part; a tenth of those would be found."""
    log = taste_interactions().by_time()
    new = log.items >= 60
    late = Interactions.of(log.users, log.items, np.where(new, 10**6, 0) + np.arange(len(log)), n_users=120, n_items=80)
    (split,) = ItemColdStart(at=10**6).splits(late)
    assert split.candidates is not None
    rates = []
    for model in (Content(), ItemNeighbours()):
        model.describe({item: Item(tags=(f"topic {item % 4}",)) for item in range(78)}).fit(split.train)
        lists, _ = model.recommend(split.users, 5, history=split.history, candidates=split.candidates)
        hits = hits_in_arrays(lists, np.searchsorted(split.users, split.test.users), split.test.items)
        rates.append(hits.means().recall)
    chance = 5 / split.candidates.sum()
    assert rates[0] > 2 * chance
    assert rates[1] == 0
