"""All models of interactions by name, as the command line and configurations name them."""

from __future__ import annotations

from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.hybrid import Stacked, Switching, Weighted
from feedmill.learn.models.single import SINGLE_MODELS

BATCH_MODELS: dict[str, type[BatchModel]] = SINGLE_MODELS | {
    model.name: model for model in (Weighted, Stacked, Switching)
}
