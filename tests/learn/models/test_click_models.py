"""What click-through models compute, beside references; what a stream teaches those on the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from feedmill.domain.batches import Examples, Features
from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.learn.models.click import netted
from feedmill.learn.models.factorisation_machine import FactorisationMachine, FactorisationMachineConfig
from feedmill.learn.models.id_rates import IdRates
from feedmill.learn.models.logistic_regression import LogisticRegression, LogisticRegressionConfig
from feedmill.learn.models.random_forest import RandomForest, RandomForestConfig
from feedmill.measure.metrics.classification import auc
from feedmill.testing.click_model_contract import taste_examples

BINARY = (True, False)
ONLINE = [LogisticRegression, FactorisationMachine]


def test_logistic_regression_takes_the_steps_of_ftrl_proximal() -> None:
    """Algorithm 1 of McMahan et al., in float64, for the constant: the one coordinate that all rows share."""
    examples = taste_examples(64)
    examples.features.ids[:] = 0
    examples.features.dense[:] = 0
    model = LogisticRegression(LogisticRegressionConfig(alpha=0.3, beta=1.0, l1=0.2, l2=0.1))
    z = n = weight = 0.0
    for row in range(20):
        batch = examples.take(np.array([row]))
        model.learn(batch)
        gradient = 1 / (1 + np.exp(-weight)) - float(batch.labels[0, 0])
        z += gradient - (np.sqrt(n + gradient**2) - np.sqrt(n)) / 0.3 * weight
        n += gradient**2
        weight = 0.0 if abs(z) <= 0.2 else -(z - np.sign(z) * 0.2) / ((1.0 + np.sqrt(n)) / 0.3 + 0.1)
        predicted = float(model.predict(batch.features)[0, 0])
        assert predicted == pytest.approx(1 / (1 + np.exp(-weight)), rel=1e-4)


def test_weights_that_nothing_speaks_for_are_zero() -> None:
    sparse, dense = (
        LogisticRegression(LogisticRegressionConfig(l1=l1)).fit(taste_examples(), BINARY) for l1 in (20.0, 0.0)
    )
    shares = []
    for model in (sparse, dense):
        rows = model._table.lookup(model._table.touched(0))
        shares.append(float((rows[:, 0] == 0).mean()))
    assert shares[0] > 0.9
    assert shares[1] < 0.1


def test_gradients_of_the_factorisation_machine_are_those_of_autograd() -> None:
    model = FactorisationMachine(FactorisationMachineConfig(factors=3))
    fields = np.random.default_rng(0).normal(size=(5, 4, 2 * (1 + 3))).astype(np.float32)
    tensor = torch.from_numpy(fields.copy()).requires_grad_()
    vectors = tensor[:, :, 2:].reshape(5, 4, 2, 3)
    pairs = sum((vectors[:, i] * vectors[:, j]).sum(-1) for i in range(4) for j in range(i + 1, 4))
    logits = tensor[:, :, :2].sum(1) + pairs
    np.testing.assert_allclose(model._logits(fields, 2), logits.detach().numpy(), rtol=1e-4, atol=1e-5)
    errors = np.random.default_rng(1).normal(size=(5, 2)).astype(np.float32)
    (logits * torch.from_numpy(errors)).sum().backward()
    np.testing.assert_allclose(model._gradients(fields, errors), tensor.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_a_factorisation_machine_finds_what_pairs_do_where_single_ids_say_nothing() -> None:
    examples = taste_examples(8_000)
    examples.features.ids[examples.features.offsets[:-1].reshape(-1, 4)[:, 2]] = 0
    learn, judge = examples.take(np.arange(6_000)), examples.take(np.arange(6_000, 8_000))
    models = (
        LogisticRegression(LogisticRegressionConfig(epochs=10)),
        FactorisationMachine(FactorisationMachineConfig(epochs=20, learning_rate=0.1, initial_scale=0.1)),
    )
    predictions = [model.fit(learn, BINARY).predict(judge.features)[:, 0] for model in models]
    quality = [auc(judge.labels[:, 0], predicted) for predicted in predictions]
    assert quality[0] < 0.6
    assert quality[1] > 0.75


@pytest.mark.parametrize("kind", ONLINE, ids=lambda kind: kind.name)
def test_a_stream_in_the_batches_of_a_fit_gives_the_fit(kind) -> None:
    examples, features = taste_examples(1_000), taste_examples(50, seed=3).features
    config = kind.Config(batch=100, epochs=1)
    streamed = kind(config)
    for start in range(0, 1_000, 100):
        streamed.learn(examples.take(np.arange(start, start + 100)), BINARY)
    fitted = kind(config).fit(examples, BINARY)
    assert streamed.predict(features).tobytes() == fitted.predict(features).tobytes()


@pytest.mark.parametrize("kind", ONLINE, ids=lambda kind: kind.name)
def test_tastes_that_change_are_followed(kind) -> None:
    model = kind(kind.Config(epochs=1)).fit(taste_examples(2_000), BINARY)
    later = taste_examples(8_000, seed=7, shift=1)
    before = auc(later.labels[-1_000:, 0], model.predict(later.features.take(np.arange(7_000, 8_000)))[:, 0])
    for start in range(0, 7_000, 100):
        model.learn(later.take(np.arange(start, start + 100)))
    after = auc(later.labels[-1_000:, 0], model.predict(later.features.take(np.arange(7_000, 8_000)))[:, 0])
    assert before < 0.5
    assert after > 0.7


@pytest.mark.parametrize("kind", ONLINE, ids=lambda kind: kind.name)
def test_what_was_kept_learns_on_as_if_it_had_not_been(kind, tmp_path: Path) -> None:
    model, more = kind().fit(taste_examples(), BINARY), taste_examples(300, seed=5)
    model.save(tmp_path / "model")
    kept = kind.load(tmp_path / "model")
    answers = [one.learn(more).predict(more.features).tobytes() for one in (model, kept)]
    assert answers[0] == answers[1]


def test_an_empty_batch_of_the_stream_teaches_nothing() -> None:
    model, nothing = LogisticRegression().fit(taste_examples(), BINARY), taste_examples(2).take(np.arange(0))
    features = taste_examples(20, seed=3).features
    before = model.predict(features).tobytes()
    assert model.learn(nothing).predict(features).tobytes() == before


def test_kinds_of_objectives_must_be_one_an_objective() -> None:
    with pytest.raises(InvalidArgument, match="1 kinds for 2 objectives"):
        LogisticRegression().fit(taste_examples(5), (True,))


def test_what_examples_say_in_the_end_leaves_out_what_was_taken_back() -> None:
    one = taste_examples(3)
    one.labels[:, 0] = 0
    back = Examples(one.features, one.labels, -one.weights, one.users, one.items, one.timestamps, one.sequence)
    now = Examples(one.features, one.labels + 1, one.weights, one.users, one.items, one.timestamps, one.sequence)
    rows, weights = netted(Examples.concatenate([one, back.take(np.array([1])), now.take(np.array([1]))]), 0)
    assert rows.tolist() == [0, 2, 4]
    assert weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (LogisticRegressionConfig, {"alpha": 0.0}),
        (LogisticRegressionConfig, {"l1": -1.0}),
        (LogisticRegressionConfig, {"epochs": 0}),
        (FactorisationMachineConfig, {"factors": 0}),
        (FactorisationMachineConfig, {"learning_rate": 0.0}),
        (FactorisationMachineConfig, {"regularization": -1.0}),
    ],
)
def test_settings_that_make_no_model_are_refused_by_name(config, settings) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        config(**settings)


def test_rates_of_ids_hold_no_label_of_their_own_row_and_none_that_came_later() -> None:
    offsets = np.array([0, 1, 2, 3, 4])
    features = Features(np.array([7, 7, 9, 7], np.uint64), offsets, np.zeros((4, 0), np.float32))
    labels, weights = np.array([1, 0, 1, 1], np.float32), np.ones(4, np.float32)
    rates, learned = IdRates.learn(features, labels, weights, smoothing=1.0)
    means = [0.5, 1.5 / 2, 1.5 / 3, 2.5 / 4]
    expected = [means[0], (1 + means[1]) / 2, means[2], (1 + means[3]) / 3]
    np.testing.assert_allclose(learned[:, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(learned[:, 1], np.log1p([0, 1, 0, 2]), rtol=1e-6)
    asked = Features(np.array([7, 9, 8], np.uint64), np.array([0, 1, 2, 3]), np.zeros((3, 0), np.float32))
    np.testing.assert_allclose(rates.columns(asked)[:, 0], [(2 + 0.75) / 4, (1 + 0.75) / 2, 0.75], rtol=1e-6)


def test_labels_of_later_rows_change_nothing_in_the_columns_of_earlier_ones() -> None:
    examples = taste_examples(500)
    labels, changed = examples.labels[:, 0], examples.labels[:, 0].copy()
    changed[300:] = 1 - changed[300:]
    columns = [IdRates.learn(examples.features, one, np.ones(500, np.float32), 10.0)[1] for one in (labels, changed)]
    assert columns[0][:301].tobytes() == columns[1][:301].tobytes()
    assert columns[0][301:].tobytes() != columns[1][301:].tobytes()


def test_a_forest_that_was_kept_as_arrays_predicts_as_scikit_learn_does() -> None:
    generator = np.random.default_rng(0)
    columns = generator.normal(size=(600, 5)).astype(np.float32)
    labels = (columns[:, 0] * columns[:, 1] > 0).astype(np.float32)
    config = RandomForestConfig(trees=10, depth=6, least_rows=5)
    ours = RandomForest(config)
    trees = ours._grow(columns, labels, np.ones(600, np.float32), binary=True)
    theirs = RandomForestClassifier(
        n_estimators=10, max_depth=6, min_samples_leaf=5, max_features="sqrt", random_state=0
    ).fit(columns, labels > 0, sample_weight=np.ones(600))
    asked = generator.normal(size=(200, 5)).astype(np.float32)
    np.testing.assert_allclose(ours._answer(trees, asked), theirs.predict_proba(asked)[:, 1], atol=1e-6)
