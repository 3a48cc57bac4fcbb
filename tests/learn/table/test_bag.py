"""The table as a layer of a torch model, beside torch's own layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from feedmill import EmbeddingBag, EmbeddingTable
from feedmill.domain.errors import InvalidArgument
from feedmill.domain.ids import feature_ids
from feedmill.domain.optimizers import Adagrad, Sgd
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.table.protocol import Pooling

NOW = 1_651_161_600_000
WORDS = 50


def bag_of_words(optimizer: Sgd | Adagrad, pooling: Pooling = "sum") -> EmbeddingBag:
    return EmbeddingBag(EmbeddingTable([Slot(1, "test/word", (Segment(8, optimizer),))]), pooling)


@pytest.mark.parametrize("pooling", ["sum", "mean"])
@pytest.mark.parametrize("optimizer", [Sgd(0.001), Adagrad(0.1, initial_accumulator=0.5)])
def test_it_learns_what_torchs_own_layer_learns(optimizer: Sgd | Adagrad, pooling: Pooling) -> None:
    rng = np.random.default_rng(0)
    words = feature_ids(1, np.arange(1, WORDS + 1, dtype=np.uint64))
    ours = bag_of_words(optimizer, pooling)
    initial = rng.normal(size=(WORDS, 8)).astype(np.float32)
    ours.table.put(words, initial, now=NOW)
    theirs = torch.nn.EmbeddingBag(WORDS, 8, mode=pooling, include_last_offset=True)
    theirs.weight.data.copy_(torch.from_numpy(initial))
    learner: torch.optim.Optimizer
    if isinstance(optimizer, Adagrad):
        learner = torch.optim.Adagrad(theirs.parameters(), lr=0.1, initial_accumulator_value=0.5, eps=0)
    else:
        learner = torch.optim.SGD(theirs.parameters(), lr=0.001)
    readout = torch.from_numpy(rng.normal(size=8).astype(np.float32))
    for _ in range(20):
        positions = rng.integers(0, WORDS, 60)
        offsets = np.array([0, 5, 5, 20, 60])
        losses = []
        for layer, ids in ((ours, words[positions]), (theirs, torch.from_numpy(positions))):
            rows = layer(ids, torch.from_numpy(offsets))
            loss = ((rows @ readout - 1) ** 2).sum()
            loss.backward()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)
        ours.step(now=NOW)
        learner.step()
        learner.zero_grad()
    np.testing.assert_allclose(ours.table.lookup(words), theirs.weight.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_ids_may_be_a_tensor_of_the_same_bits_and_each_stands_alone_without_offsets() -> None:
    bag = bag_of_words(Sgd(1.0))
    ids = feature_ids(1, np.arange(1, 4, dtype=np.uint64))
    bag(torch.from_numpy(ids.view(np.int64))).sum().backward()
    bag.step(now=NOW)
    np.testing.assert_array_equal(bag(ids).detach().numpy(), -np.ones((3, 8)))


def test_backward_passes_add_up_until_a_step_and_can_be_forgotten() -> None:
    bag = bag_of_words(Sgd(1.0))
    ids = feature_ids(1, np.arange(1, 3, dtype=np.uint64))
    bag(ids).sum().backward()
    bag.forget()
    bag.step(now=NOW)
    assert (len(bag.table), bag.table.version) == (0, 0)
    bag(ids).sum().backward()
    (2 * bag(ids[:1], np.array([0, 1]))).sum().backward()
    bag.step(now=NOW)
    assert bag.table.version == 1
    np.testing.assert_array_equal(bag.table.lookup(ids)[:, 0], [-3, -1])


def test_a_gradient_that_is_not_finite_is_refused_and_the_table_as_before() -> None:
    bag = bag_of_words(Sgd(1.0))
    ids = feature_ids(1, np.arange(1, 3, dtype=np.uint64))
    (bag(ids) * float("nan")).sum().backward()
    with pytest.raises(InvalidArgument, match="finite"):
        bag.step(now=NOW)
    bag.step(now=NOW)
    assert bag.table.version == 0


def test_tensors_of_other_types_are_refused() -> None:
    bag = bag_of_words(Sgd(1.0))
    with pytest.raises(InvalidArgument, match="int64"):
        bag(torch.zeros(3))
    with pytest.raises(InvalidArgument, match="offsets"):
        bag(feature_ids(1, np.arange(1, 3, dtype=np.uint64)), torch.zeros(3))
