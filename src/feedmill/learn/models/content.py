"""Content: items whose words, tags and categories are like those of what the user liked (Lops, de Gemmis and Semeraro,
2011, section 3.3.1; weights as of Salton and Buckley, 1988).

Each item is a vector of TF-IDF weights of length 1, a user the sum over what he or she took to, and a score is their
cosine. So items that nobody has met yet can be recommended, where `candidates` name them. The vocabulary and the
weights are learned from the items of the training part alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Self

import msgspec
import numpy as np
from scipy import sparse

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError
from feedmill.domain.interactions import Interactions
from feedmill.domain.records import Item
from feedmill.learn.models.batch import BatchModel, Bools, Integers, Matrix, as_binary
from feedmill.learn.models.missing import Float64s, MissingValues, Rule
from feedmill.learn.models.space import Range

_WORD = re.compile(r"\w\w+")


class ContentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of an item counts, and how much."""

    label_weight: float = 3.0
    """What a tag, a category or the author counts beside a word of the title or text."""
    least_items: int = 1
    """Words and tags of fewer items are left out."""
    attributes: dict[str, Rule] = {}
    """Attributes that are numbers (`duration` too), and what stands for one that is missing."""
    attribute_weight: float = 0.1
    """What a spread of such an attribute counts beside all words and tags together."""

    def __post_init__(self) -> None:
        if self.least_items < 1:
            raise ConfigError(f"content.least_items: {self.least_items} must be at least 1")
        for name in ("label_weight", "attribute_weight"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"content.{name}: {getattr(self, name)} must be at least 0")


class Content(BatchModel):
    """A vector for each item that is described; `describe` comes before `fit`, and may come again after it."""

    name = "content"
    Config = ContentConfig
    space: ClassVar = {"label_weight": Range(0.1, 30, log=True), "least_items": Range(1, 20, log=True, whole=True)}
    learned = ("vectors", "idf", "terms", "training")

    vectors: Matrix
    """float32 [items, terms + attributes]"""
    idf: Float64s
    """float64 [terms]"""
    terms: np.ndarray[tuple[int], np.dtype[np.uint8]]
    """uint8: the terms, as JSON"""
    training: Float64s
    """float64 [n, attributes]: what the rules for missing ones were fitted on"""

    def __init__(self, config: ContentConfig | None = None) -> None:
        super().__init__(config)
        self._bodies: dict[int, Item] = {}

    def describe(self, items: Mapping[int, Item]) -> Self:
        """Tell what items are. After `fit` the vectors of these items are made again, by the vocabulary and the rules
        that were learned; there may be items beyond those of `fit`."""
        self._bodies.update(items)
        if hasattr(self, "idf") and items:
            size = max(self.n_items, max(items) + 1)
            self._taken.resize(self.n_users, size)
            self._counts = np.append(self._counts, np.zeros(size - len(self._counts), dtype=np.float32))
            self.vectors.resize(size, self.vectors.shape[1])
            told = np.zeros(size, dtype=bool)
            told[list(items)] = True
            kept = sparse.diags(np.where(told, 0, 1).astype(np.float32)) @ self.vectors
            self.vectors = Matrix(kept + self._vectors(items, size))
        return self

    def _fit(self, taken: Matrix, train: Interactions) -> None:
        bodies = {item: body for item, body in self._bodies.items() if item < train.n_items}
        known = [body for item, body in bodies.items() if self._counts[item] > 0]
        self.training = self._attributes(known)
        items_of = Counter(token for body in known for token in set(_tokens(body)))
        names = sorted(token for token, count in items_of.items() if count >= self.config.least_items)
        # Smoothed, as scikit-learn does it.
        self.idf = np.log((1 + len(known)) / (1 + np.array([items_of[name] for name in names]))) + 1
        self.terms = np.frombuffer(msgspec.json.encode(names), dtype=np.uint8)
        self.vectors = self._vectors(bodies, train.n_items)

    def _scores(self, history: Matrix, users: Integers | None) -> Float32s:
        profiles = Matrix(as_binary(history) @ self.vectors)
        lengths = np.sqrt(np.asarray(profiles.multiply(profiles).sum(axis=1))).ravel()
        scores: Float32s = (profiles @ self.vectors.T).toarray() / np.maximum(lengths, 1e-12)[:, None]
        return scores.astype(np.float32)

    def _describable(self) -> Bools:
        if not hasattr(self, "vectors"):
            return super()._describable()
        told: Bools = np.diff(self.vectors.indptr) > 0
        return super()._describable() | told

    def _vectors(self, bodies: Mapping[int, Item], size: int) -> Matrix:
        """float32 [size, terms + attributes]: a row of length 1 for each item that is described."""
        place = {term: i for i, term in enumerate(msgspec.json.decode(self.terms.tobytes(), type=list[str]))}
        rows, columns, weights = [], [], []
        for item, body in bodies.items():
            for token, weight in self._weighed(body):
                if token in place:
                    rows.append(item)
                    columns.append(place[token])
                    weights.append(weight * self.idf[place[token]])
        words = Matrix((weights, (rows, columns)), shape=(size, len(place)), dtype=np.float64)
        words = _unit(words)
        if self.config.attributes and len(self.training):
            rules = MissingValues(self.config.attributes).fit(self.training)
            filled, kept = rules.fill(self._attributes(bodies.values()))
            numbers = np.zeros((size, filled.shape[1]))
            items = np.fromiter(bodies, dtype=np.int64)
            numbers[items[kept]] = filled[kept] * self.config.attribute_weight
            dropped = np.ones(size)
            dropped[items[~kept]] = 0
            words = _unit(sparse.hstack([sparse.diags(dropped) @ words, Matrix(numbers)]))
        return Matrix(words, dtype=np.float32)

    def _weighed(self, body: Item) -> Iterator[tuple[str, float]]:
        for token in _tokens(body):
            yield token, self.config.label_weight if "=" in token else 1.0

    def _attributes(self, bodies: Iterable[Item]) -> Float64s:
        """float64 [n, attributes]: NaN where an item has no such number."""
        rows = [[_number(body, name) for name in self.config.attributes] for body in bodies]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.config.attributes))


def _tokens(body: Item) -> Iterator[str]:
    """Its words, and what is said of it, as KEY=VALUE: no word has such a sign."""
    yield from _WORD.findall(f"{body.title} {body.text}".lower())
    yield from (f"tag={tag}" for tag in body.tags)
    yield from (f"category={category}" for category in body.categories)
    if body.author_id:
        yield f"author={body.author_id}"
    for name, value in body.attributes.items():
        if isinstance(value, str):
            yield f"{name}={value}"


def _number(body: Item, name: str) -> float:
    value = body.duration if name == "duration" else body.attributes.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def _unit(matrix: sparse.spmatrix) -> Matrix:
    """Rows of length 1; those that are 0 stay."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1))).ravel()
    return Matrix(sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ matrix)
