"""AUC within users, against scikit-learn user by user."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import auc_by_user, grouped_auc

rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 4)), min_size=1, max_size=40
)


@given(rows)
def test_each_users_auc_equals_the_one_of_scikit_learn(drawn):
    labels, scores, users = (np.array(column) for column in zip(*drawn, strict=True))
    values, counts = auc_by_user(labels, scores, users)
    expected, weights = [], []
    for place, user in enumerate(np.unique(users)):
        own = users == user
        assert counts[place] == own.sum()
        if 0 < labels[own].sum() < own.sum():
            expected.append(roc_auc_score(labels[own], scores[own]))
            weights.append(own.sum())
            assert values[place] == pytest.approx(expected[-1])
        else:
            assert math.isnan(values[place])
    if expected:
        assert grouped_auc(labels, scores, users) == pytest.approx(np.average(expected, weights=weights))
    else:
        assert math.isnan(grouped_auc(labels, scores, users))


def test_a_user_who_is_easier_to_please_does_not_count_as_right_order():
    labels, users = [1, 1, 0, 0], ["a", "a", "b", "b"]
    assert math.isnan(grouped_auc(labels, [0.9, 0.8, 0.2, 0.1], users))


def test_without_rows_there_is_nothing_and_a_missing_user_is_refused():
    assert len(auc_by_user([], [], [])[0]) == 0
    with pytest.raises(InvalidArgument, match="one user a row"):
        auc_by_user([0, 1], [0.1, 0.2], [1])
