import numpy as np
import pytest

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.metrics import ProgressiveMetrics, binary_metrics


def _columns(n, generator):
    labels = (generator.random((n, 2)) < 0.5).astype(np.float32)
    weights = (generator.random((n, 2)) < 0.8).astype(np.float32)
    return labels, weights, generator.random((n, 2)).astype(np.float32)


def test_a_window_holds_the_rows_of_its_time_however_they_are_batched():
    generator = np.random.default_rng(0)
    timestamps = np.sort(generator.integers(0, 1000, size=300))
    labels, weights, predictions = _columns(300, generator)
    progressive = ProgressiveMetrics(["click", "like"], length=250, origin=100)
    closed = []
    for start in range(0, 300, 37):
        batch = slice(start, start + 37)
        closed += progressive.add(timestamps[batch], labels[batch], weights[batch], predictions[batch])
    windows = progressive.finish()
    assert windows[: len(closed)] == closed
    assert [(window.start, window.end) for window in windows] == [
        (-150, 100),
        (100, 350),
        (350, 600),
        (600, 850),
        (850, 1100),
    ]
    for window in windows:
        inside = (timestamps >= window.start) & (timestamps < window.end)
        assert window.rows == inside.sum()
        for i, name in enumerate(["click", "like"]):
            expected = binary_metrics(labels[inside, i], predictions[inside, i], weights[inside, i])
            assert window.objectives[name] == expected


def test_a_late_row_counts_in_the_window_that_is_open():
    progressive = ProgressiveMetrics(["click"], length=10)
    one = np.ones((3, 1), dtype=np.float32)
    assert [window.rows for window in progressive.add(np.array([5, 12, 7]), one, one, one)] == [1]
    assert progressive.add(np.array([3, 19, 1]), one, one, one) == []
    assert [(window.start, window.rows) for window in progressive.finish()] == [(0, 1), (10, 5)]


def test_windows_without_rows_are_not_reported():
    progressive = ProgressiveMetrics(["click"], length=10)
    one = np.ones((2, 1), dtype=np.float32)
    progressive.add(np.array([5, 95]), one, one, one)
    assert [window.start for window in progressive.finish()] == [0, 90]
    assert ProgressiveMetrics(["click"], length=10).finish() == []


def test_columns_of_another_shape_are_refused():
    progressive = ProgressiveMetrics(["click", "like"], length=10)
    one = np.ones((2, 1), dtype=np.float32)
    with pytest.raises(InvalidArgument, match=r"labels: shape \(2, 1\), expected \(2, 2\)"):
        progressive.add(np.array([5, 95]), one, one, one)
