"""Every model keeps the contract of its kind."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from torch import nn

import feedmill.learn.models
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.models.ranker import Ranker
from feedmill.learn.models.two_tower import TwoTower
from feedmill.testing.model_contract import ModelContract, RetrievalModelContract


class TestRanker(ModelContract):
    model = Ranker
    config = RankerConfig(dimension=4, hidden=(16, 8))

    def segments(self, objectives: int) -> tuple[Segment, ...]:
        return Segment(objectives), Segment(self.config.dimension, initial_scale=0.05)

    def make(self, slots: tuple[Slot, ...], dense_columns: int, objectives: int) -> nn.Module:
        return Ranker(self.config, slots, dense_columns, objectives)


class TestRankerWithoutHiddenLayers(TestRanker):
    config = RankerConfig(dimension=4, hidden=())


class TestTwoTower(RetrievalModelContract):
    model = TwoTower

    def make(self) -> nn.Module:
        return TwoTower()


def test_every_model_is_held_to_a_contract() -> None:
    found = set()
    for place in pkgutil.iter_modules(feedmill.learn.models.__path__):
        module = importlib.import_module(f"feedmill.learn.models.{place.name}")
        found |= {
            one
            for name, one in inspect.getmembers(module, inspect.isclass)
            if issubclass(one, nn.Module) and one.__module__ == module.__name__ and not name.startswith("_")
        }
    held = {contract.model for contract in (TestRanker, TestTwoTower)}
    assert found == held
