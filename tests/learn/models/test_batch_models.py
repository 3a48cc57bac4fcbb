"""What batch models compute, beside a reference in NumPy; what they reach on MovieLens is known from elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics.pairwise import cosine_similarity

from feedmill.domain.clock import DAY
from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.als import Als, AlsConfig
from feedmill.learn.models.batch import BatchModel, as_binary, as_matrix
from feedmill.learn.models.bpr import BprConfig
from feedmill.learn.models.ease import Ease, EaseConfig
from feedmill.learn.models.item_neighbours import ItemNeighbours, ItemNeighboursConfig
from feedmill.learn.models.popularity import Popularity, PopularityConfig
from feedmill.learn.models.svd import Svd, SvdConfig
from feedmill.learn.models.top import top
from feedmill.learn.models.user_neighbours import UserNeighbours, UserNeighboursConfig
from feedmill.measure.evaluation.temporal import LeaveLastOut
from feedmill.measure.metrics import hits_in_arrays
from feedmill.testing.batch_model_contract import taste_interactions

LOG = taste_interactions()
DENSE = as_binary(as_matrix(LOG)).toarray()
USERS = np.arange(LOG.n_users)


def scores(model: BatchModel) -> np.ndarray:
    """[users, items]: what the model says of every pair."""
    users, items = np.meshgrid(USERS, np.arange(LOG.n_items), indexing="ij")
    return model.fit(LOG).predict(users.ravel(), items.ravel()).reshape(users.shape)


def test_ease_is_the_least_squares_of_each_item_on_the_others() -> None:
    ours = scores(Ease(EaseConfig(regularization=7.0)))
    known = DENSE.sum(axis=0) > 0
    features = DENSE[:, known]
    for column in (0, 5, 40):
        others = np.arange(features.shape[1]) != column
        gram = features[:, others].T @ features[:, others] + 7.0 * np.eye(others.sum())
        weights = np.linalg.solve(gram, features[:, others].T @ features[:, column])
        np.testing.assert_allclose(ours[:, known][:, column], features[:, others] @ weights, rtol=1e-3, atol=1e-4)


def test_a_catalogue_too_large_for_ease_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(InvalidArgument, match="use item-neighbours or als"):
        Ease(EaseConfig(most_items=10)).fit(LOG)


def test_item_neighbours_sum_the_shrunk_cosines_of_the_nearest() -> None:
    ours = scores(ItemNeighbours(ItemNeighboursConfig(neighbours=5, shrinkage=3.0)))
    together = DENSE.T @ DENSE
    alike = cosine_similarity(DENSE.T) * together / (together + 3.0)
    np.fill_diagonal(alike, 0)
    for row in alike:
        row[np.argsort(-row, kind="stable")[5:]] = 0
    np.testing.assert_allclose(ours, DENSE @ alike, rtol=1e-4, atol=1e-6)


def test_user_neighbours_sum_the_shrunk_cosines_of_who_took_to_the_item() -> None:
    model = UserNeighbours(UserNeighboursConfig(neighbours=500, shrinkage=2.0))
    together = DENSE @ DENSE.T
    alike = cosine_similarity(DENSE) * together / (together + 2.0)
    np.testing.assert_allclose(scores(model), alike @ DENSE, rtol=1e-4, atol=1e-6)


def test_svd_scores_a_history_by_its_projection_on_the_largest_directions() -> None:
    _, _, directions = np.linalg.svd(DENSE)
    projection = directions[:6].T @ directions[:6]
    np.testing.assert_allclose(scores(Svd(SvdConfig(factors=6))), DENSE @ projection, atol=1e-4)


@pytest.mark.parametrize("alpha", [1.0, 5.0])
def test_als_vectors_of_users_solve_the_weighted_least_squares(alpha: float) -> None:
    model = Als(AlsConfig(factors=4, alpha=alpha, regularization=2.0))
    ours = scores(model)
    items = model.item_factors.astype(np.float64)
    for user in (0, 7):
        confidence = np.where(DENSE[user] > 0, alpha, 1.0)
        vector = np.linalg.solve(
            items.T @ (confidence[:, None] * items) + 2.0 * np.eye(4), items.T @ (confidence * DENSE[user])
        )
        known = DENSE.sum(axis=0) > 0
        np.testing.assert_allclose(ours[user, known], (items @ vector)[known], rtol=1e-3, atol=1e-4)


def test_popularity_fades_and_forgets_what_is_outside_its_window() -> None:
    log = Interactions.of([0, 1, 2, 3], [0, 0, 1, 1], np.array([0, 2, 4, 8]) * DAY)
    assert Popularity().fit(log).weights.tolist() == [2, 2]
    assert Popularity(PopularityConfig(half_life_days=2)).fit(log).weights.tolist() == [2**-4 + 2**-3, 2**-2 + 1]
    assert Popularity(PopularityConfig(window_days=4)).fit(log).weights.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (PopularityConfig, {"half_life_days": 0.0}),
        (ItemNeighboursConfig, {"neighbours": 0}),
        (ItemNeighboursConfig, {"shrinkage": -1.0}),
        (UserNeighboursConfig, {"neighbours": 0}),
        (EaseConfig, {"regularization": 0.0}),
        (AlsConfig, {"factors": 0}),
        (AlsConfig, {"alpha": 0.0}),
        (BprConfig, {"learning_rate": 0.0}),
        (BprConfig, {"regularization": -0.1}),
        (SvdConfig, {"factors": 0}),
    ],
)
def test_settings_that_make_no_model_are_refused_by_name(config, settings) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        config(**settings)


@given(arrays(np.float32, (3, 7), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0])), st.integers(1, 9))
def test_the_best_are_those_of_a_stable_sort(found, k) -> None:
    columns, values = top(found, k)
    expected = np.argsort(-found, axis=1, kind="stable")[:, :k]
    assert columns.tolist() == expected.tolist()
    assert values.tolist() == np.take_along_axis(found, expected, axis=1).tolist()


@pytest.fixture(scope="module")
def movielens(data_dir: Path) -> Interactions:
    ratings = pl.read_csv(data_dir / "ml-latest-small" / "ratings.csv")
    users, movies = (ratings[name].cast(pl.String).to_list() for name in ("userId", "movieId"))
    return Interactions.from_ids(users, movies, ratings["timestamp"].to_numpy() * 1_000)[0]


@pytest.mark.parametrize(
    ("model", "hit_rate", "ndcg"),
    [
        (Popularity(), 0.046, 0.021),
        (ItemNeighbours(), 0.064, 0.033),
        (Ease(EaseConfig(regularization=200.0)), 0.083, 0.044),
        (Als(AlsConfig(factors=64, iterations=20)), 0.088, 0.043),
    ],
    ids=lambda value: value.name if isinstance(value, BatchModel) else "",
)
def test_on_movielens_models_reach_what_is_known_of_them(movielens, model, hit_rate, ndcg) -> None:
    (split,) = LeaveLastOut().splits(movielens)
    assert len(split.users) == 636
    lists, _ = model.fit(split.train).recommend(split.users, 10)
    found = hits_in_arrays(lists, np.searchsorted(split.users, split.test.users), split.test.items).means()
    # Within two users of 636, who may differ with the order of equal times and the seed.
    assert found.hit_rate == pytest.approx(hit_rate, abs=2 / 636)
    assert found.ndcg == pytest.approx(ndcg, abs=2 / 636)
