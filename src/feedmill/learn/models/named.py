"""All models by name, as the command line and configurations name them."""

from __future__ import annotations

from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.boosted_trees import BoostedTrees
from feedmill.learn.models.click import ClickModel
from feedmill.learn.models.factorisation_machine import FactorisationMachine
from feedmill.learn.models.hybrid import Stacked, Switching, Weighted
from feedmill.learn.models.logistic_regression import LogisticRegression
from feedmill.learn.models.random_forest import RandomForest
from feedmill.learn.models.single import SINGLE_MODELS

BATCH_MODELS: dict[str, type[BatchModel]] = SINGLE_MODELS | {
    model.name: model for model in (Weighted, Stacked, Switching)
}
"""Of interactions."""
CLICK_MODELS: dict[str, type[ClickModel]] = {
    model.name: model for model in (LogisticRegression, FactorisationMachine, RandomForest, BoostedTrees)
}
"""Of joined examples."""
