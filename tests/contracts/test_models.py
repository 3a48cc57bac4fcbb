"""Every model keeps the contract of its kind."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from torch import nn

import feedmill.learn.models
from feedmill.domain.records import Item
from feedmill.domain.slots import Segment, Slot
from feedmill.learn.models.als import Als, AlsConfig
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.boosted_trees import BoostedTrees, BoostedTreesConfig
from feedmill.learn.models.bpr import Bpr, BprConfig
from feedmill.learn.models.click import ClickModel
from feedmill.learn.models.config import RankerConfig
from feedmill.learn.models.content import Content
from feedmill.learn.models.ease import Ease, EaseConfig
from feedmill.learn.models.factorisation_machine import FactorisationMachine, FactorisationMachineConfig
from feedmill.learn.models.hybrid import Stacked, StackedConfig, Switching, SwitchingConfig, Weighted, WeightedConfig
from feedmill.learn.models.item_neighbours import ItemNeighbours
from feedmill.learn.models.kept import KeptModel
from feedmill.learn.models.logistic_regression import LogisticRegression, LogisticRegressionConfig
from feedmill.learn.models.matrix_factorisation import MatrixFactorisation, MatrixFactorisationConfig
from feedmill.learn.models.popularity import Popularity
from feedmill.learn.models.random_forest import RandomForest, RandomForestConfig
from feedmill.learn.models.ranker import Ranker
from feedmill.learn.models.svd import Svd, SvdConfig
from feedmill.learn.models.two_tower import TwoTower
from feedmill.learn.models.user_neighbours import UserNeighbours
from feedmill.testing.batch_model_contract import ITEMS, TOPICS, BatchModelContract
from feedmill.testing.click_model_contract import ClickModelContract
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


class TestPopularity(BatchModelContract):
    model = Popularity
    floor = 0.3

    def make(self, seed: int = 0) -> BatchModel:
        return Popularity()


class TestItemNeighbours(BatchModelContract):
    model = ItemNeighbours
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        return ItemNeighbours()


class TestUserNeighbours(BatchModelContract):
    model = UserNeighbours
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        return UserNeighbours()


class TestEase(BatchModelContract):
    model = Ease
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        return Ease(EaseConfig(regularization=20.0))


class TestAls(BatchModelContract):
    model = Als
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        return Als(AlsConfig(factors=8, regularization=1.0, seed=seed))


class TestBpr(BatchModelContract):
    model = Bpr
    floor = 0.45

    def make(self, seed: int = 0) -> BatchModel:
        return Bpr(BprConfig(factors=8, iterations=200, seed=seed))


class TestSvd(BatchModelContract):
    model = Svd
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        return Svd(SvdConfig(factors=4, seed=seed))


class TestMatrixFactorisation(BatchModelContract):
    model = MatrixFactorisation
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        return MatrixFactorisation(MatrixFactorisationConfig(factors=8, seed=seed))


class TestContent(BatchModelContract):
    model = Content
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        topics = {item: Item(tags=(f"topic {item % TOPICS}",)) for item in range(ITEMS - 2)}
        return Content().describe(topics)


class TestWeighted(BatchModelContract):
    model = Weighted
    floor = 0.5

    def make(self, seed: int = 0) -> BatchModel:
        return Weighted(WeightedConfig(models=("item-neighbours", "popularity"), seed=seed))


class TestStacked(BatchModelContract):
    model = Stacked
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        return Stacked(StackedConfig(models=("item-neighbours", "svd", "popularity"), seed=seed))


class TestSwitching(BatchModelContract):
    model = Switching
    floor = 0.58

    def make(self, seed: int = 0) -> BatchModel:
        return Switching(SwitchingConfig(models=("popularity", "item-neighbours"), seed=seed))


class TestLogisticRegression(ClickModelContract):
    model = LogisticRegression
    floor = 0.78

    def make(self, seed: int = 0) -> ClickModel:
        return LogisticRegression(LogisticRegressionConfig(epochs=3, batch=64, seed=seed))


class TestFactorisationMachine(ClickModelContract):
    model = FactorisationMachine
    floor = 0.78

    def make(self, seed: int = 0) -> ClickModel:
        return FactorisationMachine(FactorisationMachineConfig(factors=4, batch=64, seed=seed))


class TestRandomForest(ClickModelContract):
    model = RandomForest
    floor = 0.78

    def make(self, seed: int = 0) -> ClickModel:
        return RandomForest(RandomForestConfig(trees=20, depth=8, seed=seed))


class TestBoostedTrees(ClickModelContract):
    model = BoostedTrees
    floor = 0.78

    def make(self, seed: int = 0) -> ClickModel:
        return BoostedTrees(BoostedTreesConfig(trees=40, seed=seed))


def test_every_model_is_held_to_a_contract() -> None:
    found = set()
    for place in pkgutil.iter_modules(feedmill.learn.models.__path__):
        module = importlib.import_module(f"feedmill.learn.models.{place.name}")
        found |= {
            one
            for name, one in inspect.getmembers(module, inspect.isclass)
            if issubclass(one, nn.Module | KeptModel)
            and not inspect.isabstract(one)
            and one.__module__ == module.__name__
            and not name.startswith("_")
        }
    contracts = [one for one in globals().values() if inspect.isclass(one) and hasattr(one, "model")]
    assert found == {contract.model for contract in contracts}
