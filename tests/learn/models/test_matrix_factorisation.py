"""Matrix factorisation on the table: what a step computes, and that it follows a stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.learn.models.matrix_factorisation import MatrixFactorisation, MatrixFactorisationConfig
from feedmill.testing.batch_model_contract import taste_interactions

USERS, ITEMS = 60, 40


def ratings(seed: int = 0) -> tuple[Interactions, np.ndarray]:
    """Two in three of all ratings, by biases and two hidden tastes; and all of them."""
    generator = np.random.default_rng(seed)
    tastes, kinds = generator.normal(size=(USERS, 2)), generator.normal(size=(ITEMS, 2))
    truth = 10 + generator.normal(size=(USERS, 1)) + generator.normal(size=ITEMS) + tastes @ kinds.T
    users, items = np.nonzero(generator.random(truth.shape) < 2 / 3)
    return Interactions.of(users, items, values=truth[users, items], n_users=USERS, n_items=ITEMS), truth


def test_a_step_on_one_rating_is_that_of_adagrad_on_the_squared_error() -> None:
    config = MatrixFactorisationConfig(factors=1, negatives=0, initial_scale=0.0, regularization=0.0, learning_rate=0.5)
    model = MatrixFactorisation(config)
    model.learn(Interactions.of([0], [0], values=[4.0]))
    # The mean is 4 then: there is no error, and nothing to learn.
    assert model.predict([0], [0]).tolist() == [4.0]
    model.learn(Interactions.of([1], [0], values=[2.0], n_users=2))
    # The mean is 3, the error 1, and each bias falls by 0.5 * 1 / sqrt(0.1 + 1).
    assert model.predict([1], [0])[0] == pytest.approx(3 - 2 * 0.5 / np.sqrt(1.1), abs=1e-6)
    assert model.predict([0], [0])[0] == pytest.approx(3 - 0.5 / np.sqrt(1.1), abs=1e-6)


def test_without_negatives_it_predicts_ratings_that_were_kept_from_it() -> None:
    log, truth = ratings()
    asked = np.ones(truth.shape, dtype=bool)
    asked[log.users, log.items] = False
    users, items = np.nonzero(asked)
    config = MatrixFactorisationConfig(factors=2, negatives=0, epochs=60, regularization=0.005)
    predicted = MatrixFactorisation(config).fit(log).predict(users, items)
    left = truth[users, items] - predicted
    assert left.std() < 0.5 * truth[users, items].std()
    assert abs(left.mean()) < 0.1


def test_a_stream_is_followed_to_users_and_items_that_were_not_there_before() -> None:
    log = taste_interactions()
    known = log.take(log.users < 100)
    model = MatrixFactorisation(MatrixFactorisationConfig(factors=8)).fit(known)
    assert model.predict([110], [2])[0] == 0
    for _ in range(10):
        model.learn(Interactions.of(np.full(5, 125), [81, 82, 85, 89, 93], n_users=126, n_items=94))
    assert (model.n_users, model.n_items) == (126, 94)
    scores = model.predict(np.full(2, 125), [81, 2])
    assert scores[0] > scores[1]
    assert not set(model.recommend([125], 5)[0][0].tolist()) & {81, 82, 85, 89, 93}
    # What it had learned stays.
    assert model.predict([3], [3])[0] != 0


def test_a_taste_that_changes_is_learned_from_the_stream_and_not_without() -> None:
    log = taste_interactions()
    still = MatrixFactorisation(MatrixFactorisationConfig(factors=8)).fit(log)
    moving = MatrixFactorisation(MatrixFactorisationConfig(factors=8)).fit(log)
    later = np.arange(1, 78, 4)
    for _ in range(5):
        moving.learn(Interactions.of(np.zeros(10, np.int32), later[:10], n_users=log.n_users, n_items=log.n_items))
    gain = [float(model.predict(np.zeros(9, np.int32), later[10:19]).mean()) for model in (still, moving)]
    assert gain[1] > gain[0] + 0.3


def test_what_was_kept_learns_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    log = taste_interactions()
    first, second = log.take(np.arange(700)), log.take(np.arange(700, len(log)))
    model = MatrixFactorisation(MatrixFactorisationConfig(factors=4)).fit(first)
    model.save(tmp_path / "model")
    kept = MatrixFactorisation.load(tmp_path / "model")
    answers = [one.learn(second).recommend(np.arange(20), 5)[1].tobytes() for one in (model, kept)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "settings",
    [{"factors": 0}, {"negatives": -1}, {"epochs": 0}, {"learning_rate": 0.0}, {"regularization": -1.0}, {"batch": 0}],
)
def test_settings_that_make_no_model_are_refused_by_name(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        MatrixFactorisationConfig(**settings)  # type: ignore[arg-type]
