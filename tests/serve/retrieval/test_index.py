from __future__ import annotations

import numpy as np
import pytest

from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.serve.retrieval.index import VectorIndex, VectorIndexConfig


def test_a_flat_index_finds_the_largest_inner_products() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(500, 8)).astype(np.float32)
    ordinals = generator.permutation(2_000)[:500].astype(np.int32)
    index = VectorIndex()
    index.rebuild(ordinals, vectors)
    query = generator.normal(size=8).astype(np.float32)
    found, products = index.search(query, 10)
    exact = vectors @ query
    best = np.argsort(-exact)[:10]
    assert found.tolist() == ordinals[best].tolist()
    assert products == pytest.approx(exact[best], abs=1e-5)


def test_a_clustered_index_finds_nearly_all_of_them() -> None:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(20, 16))
    vectors = (centres[generator.integers(20, size=4_000)] + 0.3 * generator.normal(size=(4_000, 16))).astype(
        np.float32
    )
    index = VectorIndex(VectorIndexConfig(flat_up_to=1_000, lists=32, probes=8))
    index.rebuild(np.arange(4_000, dtype=np.int32), vectors)
    found = 0
    for query in centres.astype(np.float32):
        best = np.argsort(-(vectors @ query))[:50]
        found += len(np.intersect1d(best, index.search(query, 50)[0]))
    assert found / (20 * 50) > 0.9


def test_an_index_holds_what_it_was_rebuilt_from_last() -> None:
    index = VectorIndex()
    assert index.search(np.ones(3, np.float32), 5)[0].tolist() == []
    index.rebuild(np.array([4, 5], np.int32), np.eye(2, 3, dtype=np.float32))
    assert index.search(np.array([0, 1, 0], np.float32), 5)[0].tolist() == [5, 4]
    index.rebuild(np.array([9], np.int32), np.ones((1, 2), np.float32))
    assert index.search(np.ones(2, np.float32), 5)[0].tolist() == [9]
    index.rebuild(np.empty(0, np.int32), np.empty((0, 2), np.float32))
    assert len(index) == 0
    assert index.search(np.ones(2, np.float32), 5)[0].tolist() == []


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    index = VectorIndex()
    index.rebuild(np.array([4], np.int32), np.ones((1, 2), np.float32))
    with pytest.raises(InvalidArgument, match="not finite"):
        index.rebuild(np.array([5], np.int32), np.array([[np.nan, 1]], np.float32))
    with pytest.raises(InvalidArgument, match="2 ordinals"):
        index.rebuild(np.array([5, 6], np.int32), np.ones((1, 2), np.float32))
    with pytest.raises(InvalidArgument, match="2 columns"):
        index.search(np.ones(3, np.float32), 1)
    assert index.search(np.ones(2, np.float32), 1)[0].tolist() == [4]
    with pytest.raises(ConfigError, match="probes"):
        VectorIndexConfig(probes=0)
