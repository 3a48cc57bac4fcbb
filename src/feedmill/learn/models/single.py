"""Models of interactions by name, but for those that are made of others."""

from __future__ import annotations

from feedmill.learn.models.als import Als
from feedmill.learn.models.batch import BatchModel
from feedmill.learn.models.bpr import Bpr
from feedmill.learn.models.content import Content
from feedmill.learn.models.ease import Ease
from feedmill.learn.models.item_neighbours import ItemNeighbours
from feedmill.learn.models.matrix_factorisation import MatrixFactorisation
from feedmill.learn.models.popularity import Popularity
from feedmill.learn.models.svd import Svd
from feedmill.learn.models.user_neighbours import UserNeighbours

SINGLE_MODELS: dict[str, type[BatchModel]] = {
    model.name: model
    for model in (
        Popularity, ItemNeighbours, UserNeighbours, Ease, Als, Bpr, Svd, MatrixFactorisation, Content,
    )
}  # fmt: skip
