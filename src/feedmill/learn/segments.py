"""Segments: groups of users of one taste, and a map of users and items in two dimensions.

Users and items are vectors of a truncated SVD, of length 1. Groups are those of mini-batch k-means (Sculley, 2010); how
many there are is what gives the highest mean silhouette (Rousseeuw, 1987); the map is a principal component analysis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import optimize

from feedmill.domain.batches import Float32s
from feedmill.domain.errors import ConfigError, InvalidArgument
from feedmill.domain.interactions import Int32s, Interactions
from feedmill.learn.models.batch import as_binary, as_matrix
from feedmill.learn.models.blas import one_blas_thread
from feedmill.learn.models.peers import sklearn_module
from feedmill.learn.models.svd import Svd, SvdConfig


class SegmentsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many groups there may be, and from what they are made."""

    least: int = 2
    most: int = 12
    factors: int = 16
    """Of the vectors of users."""
    sample: int = 2_000
    """Users by whom silhouettes are measured: the cost is their square."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.least <= self.most:
            raise ConfigError(f"segments: from {self.least} to {self.most}; at least 2, and not more than the most")
        for name, least in (("factors", 1), ("sample", 10), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"segments.{name}: {getattr(self, name)} must be at least {least}")


@dataclass(frozen=True, slots=True)
class Segments:
    """Who belongs together."""

    of_users: Int32s
    """int32 [users]: the id of each user's segment; -1 for who took to nothing."""
    silhouettes: dict[int, float]
    """By the number of groups that was tried, -1 to 1: how much nearer users are to their own group than to the
    next."""
    user_places: Float32s
    """float32 [users, 2] on the map; 0 for who took to nothing."""
    item_places: Float32s
    """float32 [items, 2]; 0 for what nobody took to."""
    explained: tuple[float, float]
    """The share of the variance of users' vectors along each side of the map."""

    @property
    def ids(self) -> list[int]:
        """The segments, ascending."""
        return [int(one) for one in np.unique(self.of_users) if one >= 0]


def find_segments(
    taken: Interactions,
    config: SegmentsConfig | None = None,
    previous: Mapping[int, int] | None = None,
    unused: int = 0,
) -> Segments:
    """Find the segments; the same interactions and seed give the same.

    `previous` has the segment that users had before, by ordinal: the new groups are matched to the old ones so that as
    many users as possible keep theirs, and a group without an old one gets an id from `unused` on. Raises
    InvalidArgument where fewer than 10 users took to anything, ConfigError where scikit-learn is missing.
    """
    config = config or SegmentsConfig()
    history = as_binary(as_matrix(taken))
    known = np.flatnonzero(np.diff(history.indptr) > 0)
    if len(known) < 10:
        raise InvalidArgument(f"segments: {len(known)} users took to anything, and groups of users need at least 10")
    svd = Svd(SvdConfig(config.factors, config.seed)).fit(taken)
    with one_blas_thread():
        users = _unit(history[known] @ svd.item_factors)
        labels, silhouettes = _grouped(users, config)
        pca: Any = sklearn_module("decomposition").PCA(2, random_state=config.seed, svd_solver="full")
        width = max(2, users.shape[1])
        # A map has two sides, also where there is only one direction.
        placed = pca.fit_transform(_widened(users, width))
        met = np.flatnonzero(np.bincount(taken.items, minlength=taken.n_items))
        items = pca.transform(_widened(_unit(svd.item_factors[met]), width))
    of_users = np.full(taken.n_users, -1, dtype=np.int32)
    of_users[known] = _renamed(labels, known, previous or {}, unused)
    user_places, item_places = np.zeros((taken.n_users, 2), np.float32), np.zeros((taken.n_items, 2), np.float32)
    user_places[known], item_places[met] = placed, items
    along = pca.explained_variance_ratio_.tolist()
    return Segments(of_users, silhouettes, user_places, item_places, (along[0], along[1]))


def _grouped(users: Float32s, config: SegmentsConfig) -> tuple[npt.NDArray[np.int64], dict[int, float]]:
    """int64 [n] groups from 0, and the silhouette by how many there are."""
    cluster, metrics = sklearn_module("cluster"), sklearn_module("metrics")
    generator = np.random.default_rng(config.seed)
    sample = np.sort(generator.permutation(len(users))[: config.sample])
    best: npt.NDArray[np.int64] = np.zeros(len(users), dtype=np.int64)
    silhouettes: dict[int, float] = {}
    for count in range(config.least, min(config.most, len(users) - 1) + 1):
        groups: Any = cluster.MiniBatchKMeans(count, random_state=config.seed, n_init=5, batch_size=1024)
        labels = groups.fit_predict(users)
        if len(np.unique(labels[sample])) < 2:
            continue
        value = float(metrics.silhouette_score(users[sample], labels[sample]))
        if value > max(silhouettes.values(), default=-np.inf):
            best = labels.astype(np.int64)
        silhouettes[count] = value
    return best, silhouettes


def _renamed(
    labels: npt.NDArray[np.int64], users: npt.NDArray[np.int64], previous: Mapping[int, int], unused: int
) -> Int32s:
    """int32 [n]: groups by the ids that most of their users had (Kuhn, 1955); new ids for the others, largest first."""
    old = np.array([previous.get(user, -1) for user in users.tolist()])
    known = np.unique(old[old >= 0])
    groups, sizes = np.unique(labels, return_counts=True)
    shared = np.array([[np.sum((labels == group) & (old == one)) for one in known] for group in groups])
    names: dict[int, int] = {}
    if len(known):
        for row, column in zip(*optimize.linear_sum_assignment(-shared), strict=True):
            if shared[row, column]:
                names[int(groups[row])] = int(known[column])
    following = max([unused, *(int(one) + 1 for one in known)])
    for group in groups[np.argsort(-sizes, kind="stable")].tolist():
        if group not in names:
            names[group], following = following, following + 1
    return np.array([names[label] for label in labels.tolist()], dtype=np.int32)


def _unit(vectors: Float32s) -> Float32s:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float32s = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return unit


def _widened(vectors: Float32s, width: int) -> Float32s:
    return np.pad(vectors, ((0, 0), (0, width - vectors.shape[1])))
