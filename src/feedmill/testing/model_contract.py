"""What every model must do. A subclass says how to make one; pytest does the rest.

class TestMyModel(ModelContract):
    def make(self, slots, dense_columns, objectives):
        return MyModel(slots, dense_columns, objectives)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn

from feedmill.domain.slots import Segment, Slot
from feedmill.measure.metrics.classification import auc

OBJECTIVES = 2
INPUTS = 3
N_SLOTS = 4


def train(parameters: list[nn.Parameter], loss: Callable[[int], torch.Tensor], steps: int) -> list[float]:
    """Adagrad on summed losses, as the table learns; the loss of each step."""
    optimizer = torch.optim.Adagrad(parameters, lr=0.1, initial_accumulator_value=0.1)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        value = loss(step)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(value.detach()))
    return losses


@pytest.fixture(autouse=True)
def one_thread(self: object) -> Iterator[None]:
    """Small matrices are slower on many threads, and their sums depend on how many there are."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class ModelContract:
    """The tests of a ranking model: the protocol `feedmill.domain.model.Model`, as a `torch.nn.Module`.

    The first dense columns are each objective's rate over everything, as the fold emits them.
    """

    floor = 0.85
    """The AUC that the model reaches on topics that users like, from ids alone."""

    one_thread = one_thread

    def segments(self, objectives: int) -> tuple[Segment, ...]:
        """The layout of the rows that the model reads."""
        raise NotImplementedError

    def make(self, slots: tuple[Slot, ...], dense_columns: int, objectives: int) -> nn.Module:
        """A new model; draws its initial parameters from torch's generator."""
        raise NotImplementedError

    def new(self, slots: int = N_SLOTS, dense_columns: int = OBJECTIVES + INPUTS, seed: int = 0) -> nn.Module:
        layout = self.segments(OBJECTIVES)
        torch.manual_seed(seed)
        return self.make(tuple(Slot(n + 1, f"m/{n}", layout) for n in range(slots)), dense_columns, OBJECTIVES)

    @property
    def dimension(self) -> int:
        return sum(segment.width for segment in self.segments(OBJECTIVES))

    def inputs(self, n: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randn(n, N_SLOTS, self.dimension, generator=generator)
        return rows, torch.randn(n, OBJECTIVES + INPUTS, generator=generator)

    def test_it_names_its_slots_in_order(self) -> None:
        slots = self.new().slots
        assert isinstance(slots, tuple)
        assert [slot.number for slot in slots] == [1, 2, 3, 4]
        assert {slot.dimension for slot in slots} == {self.dimension}

    @pytest.mark.parametrize("n", [0, 1, 7])
    def test_it_gives_a_logit_for_each_row_and_objective(self, n: int) -> None:
        logits = self.new()(*self.inputs(n))
        assert logits.shape == (n, OBJECTIVES)
        assert logits.dtype == torch.float32

    def test_before_it_has_learned_it_predicts_base_rates(self) -> None:
        _, dense = self.inputs(5)
        logits = self.new()(torch.zeros(5, N_SLOTS, self.dimension), dense)
        torch.testing.assert_close(logits, dense[:, :OBJECTIVES], rtol=0, atol=0)

    def test_the_same_seed_makes_the_same_model(self) -> None:
        one, same = self.new(seed=3).state_dict(), self.new(seed=3).state_dict()
        assert one.keys() == same.keys()
        assert all(torch.equal(one[name], same[name]) for name in one)

    def test_it_is_a_function_of_its_inputs_and_leaves_them_alone(self) -> None:
        model, (rows, dense) = self.new(), self.inputs(6)
        before = rows.clone(), dense.clone()
        assert torch.equal(model(rows, dense), model(rows, dense))
        assert torch.equal(rows, before[0])
        assert torch.equal(dense, before[1])

    def test_no_row_sees_another(self) -> None:
        model, (rows, dense) = self.trained(), self.inputs(6)
        whole = model(rows, dense)
        rows[3] += 1
        dense[3] -= 1
        changed = model(rows, dense)
        others = [0, 1, 2, 4, 5]
        torch.testing.assert_close(changed[others], whole[others], rtol=0, atol=0)
        assert not torch.equal(changed[3], whole[3])

    def test_every_slot_and_every_dense_column_is_read(self) -> None:
        model, (rows, dense) = self.trained(), self.inputs(6)
        rows.requires_grad_()
        dense.requires_grad_()
        model(rows, dense).sum().backward()
        assert rows.grad is not None
        assert dense.grad is not None
        assert (rows.grad.abs().sum((0, 2)) > 0).all()
        assert (dense.grad.abs().sum(0) > 0).all()

    def test_a_model_goes_through_its_parameters(self) -> None:
        model, restored, inputs = self.trained(), self.new(seed=9), self.inputs(6)
        restored.load_state_dict(model.state_dict())
        assert torch.equal(restored(*inputs), model(*inputs))

    def test_its_loss_falls(self) -> None:
        torch.manual_seed(0)
        model, (rows, dense) = self.new(), self.inputs(64)
        labels = (torch.randn(64, OBJECTIVES) > 0).float()
        learned = nn.Parameter(rows * 0.1)
        losses = train(
            [learned, *model.parameters()],
            lambda step: nn.functional.binary_cross_entropy_with_logits(model(learned, dense), labels, reduction="sum"),
            steps=30,
        )
        assert np.isfinite(losses).all()
        assert losses[-1] < 0.3 * losses[0]

    def test_it_finds_which_users_like_which_topics(self) -> None:
        users, items, topics, batch = 60, 80, 4, 128
        generator = np.random.default_rng(5)
        model = self.new(slots=2)
        torch.manual_seed(5)
        table = nn.Embedding(users + items, self.dimension)
        nn.init.uniform_(table.weight, -0.05, 0.05)
        tastes, kinds = generator.integers(topics, size=users), generator.integers(topics, size=items)

        def draw(n: int) -> tuple[torch.Tensor, torch.Tensor]:
            user, item = generator.integers(users, size=n), generator.integers(items, size=n)
            liked = generator.random(n) < np.where(tastes[user] == kinds[item], 0.9, 0.05)
            labels = np.stack([liked, ~liked], axis=1).astype(np.float32)
            return torch.from_numpy(np.stack([user, users + item], axis=1)), torch.from_numpy(labels)

        def loss(step: int) -> torch.Tensor:
            ids, labels = draw(batch)
            logits = model(table(ids), torch.zeros(batch, OBJECTIVES + INPUTS))
            return nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")

        train([*table.parameters(), *model.parameters()], loss, steps=400)
        ids, labels = draw(2_000)
        with torch.inference_mode():
            logits = model(table(ids), torch.zeros(2_000, OBJECTIVES + INPUTS))
        assert auc(labels[:, 0].numpy(), logits[:, 0].numpy()) > self.floor

    def trained(self) -> nn.Module:
        """A model that has left its initial parameters, so that all of its parts count."""
        model = self.new()
        torch.manual_seed(2)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
        return model


class RetrievalModelContract:
    """The tests of a retrieval model: a `torch.nn.Module` that gives the loss of pairs of a user and a liked item."""

    one_thread = one_thread

    def make(self) -> nn.Module:
        """A new model."""
        raise NotImplementedError

    def test_a_pair_alone_teaches_nothing(self) -> None:
        loss = self.make()(torch.ones(1, 2, 3), torch.ones(1, 2, 3), torch.ones(1), torch.zeros(1, dtype=torch.int64))
        assert float(loss) == 0.0

    def test_the_loss_of_two_pairs_is_that_of_a_softmax(self) -> None:
        users, items = torch.tensor([[[1.0], [1.0]], [[0.0], [0.0]]]), torch.tensor([[[0.5]], [[2.0]]])
        loss = self.make()(users, items, torch.tensor([0.0, 1.0]), torch.tensor([7, 8]))
        # Logits are 2 * 0.5 and 2 * 2 - ln 2 for the first user, 0 and -ln 2 for the second.
        first, second = np.array([1.0, 4.0 - np.log(2)]), np.array([0.0, -np.log(2)])
        expected = np.log(np.exp(first).sum()) - first[0] + np.log(np.exp(second).sum()) - second[1]
        assert float(loss) == pytest.approx(expected, rel=1e-6)

    def test_an_item_is_no_negative_of_itself(self) -> None:
        generator = torch.Generator().manual_seed(0)
        users, items = torch.randn(3, 1, 4, generator=generator), torch.randn(3, 1, 4, generator=generator)
        items[1] = items[0]
        both = self.make()(users, items, torch.zeros(3), torch.tensor([5, 5, 6]))
        logits = (users[:, 0] @ items[:, 0].T).double()
        expected = sum(
            float(torch.logsumexp(logits[row, among], 0) - logits[row, row])
            for row, among in ((0, [0, 2]), (1, [1, 2]), (2, [0, 1, 2]))
        )
        assert float(both) == pytest.approx(expected, rel=1e-5)

    def test_its_loss_does_not_depend_on_the_order_of_pairs(self) -> None:
        generator = torch.Generator().manual_seed(0)
        users, items = torch.randn(8, 2, 4, generator=generator), torch.randn(8, 2, 4, generator=generator)
        popularity, keys = torch.arange(8.0), torch.arange(8) % 5
        order = torch.randperm(8, generator=generator)
        model = self.make()
        torch.testing.assert_close(
            model(users[order], items[order], popularity[order], keys[order]), model(users, items, popularity, keys)
        )

    def test_it_finds_more_of_what_users_like_than_popularity(self) -> None:
        users, items, topics = 50, 60, 5
        generator = np.random.default_rng(3)
        torch.manual_seed(3)
        model = self.make()
        towers = [nn.Embedding(count, 8) for count in (users, items)]
        for tower in towers:
            nn.init.uniform_(tower.weight, -0.1, 0.1)
        tastes, kinds = np.arange(users) % topics, np.arange(items) % topics
        likes = np.ones(items)

        def loss(step: int) -> torch.Tensor:
            user = generator.integers(users, size=64)
            item = tastes[user] + topics * generator.integers(items // topics, size=64)
            np.add.at(likes, item, 1)
            one, other = (tower(torch.from_numpy(of))[:, None] for tower, of in zip(towers, (user, item), strict=True))
            popularity = torch.from_numpy(likes[item].astype(np.float32))
            result: torch.Tensor = model(one, other, popularity, torch.from_numpy(item))
            return result

        losses = train([parameter for tower in towers for parameter in tower.parameters()], loss, steps=150)
        assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
        scores = (towers[0].weight @ towers[1].weight.T).detach().numpy()
        found = np.argsort(-scores, axis=1)[:, :10]
        popular = np.argsort(-likes)[:10]
        recall = np.mean(kinds[found] == tastes[:, None])
        assert recall > 0.8 > 2 * np.mean(kinds[popular] == tastes[:, None])
