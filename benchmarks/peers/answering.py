"""How a peer answers: it reads one file, fits each model that it is asked for, and writes its lists to another.

The question holds `users` and `items` (the interactions, by ordinals without gaps, each pair once), `asked` (the users
who want a list), `k` and `requests` (JSON: for each model its settings and the seeds to fit it with, one fit a seed).
The answer holds of each model `MODEL.lists` [seeds, asked, k], -1 where a list is shorter, and the seconds of each fit
and of all lists after it, `MODEL.fit` and `MODEL.recommend` [seeds].
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from scipy import sparse


class Peer(Protocol):
    """A model of a peer library, made from settings and a seed; what it needs to be made is not timed."""

    def fit(self) -> None: ...

    def recommend(self, users: np.ndarray, k: int) -> np.ndarray:
        """[users, at most k] items that the user has not met, best first."""


Maker = Callable[[sparse.csr_matrix, dict[str, Any], int], Peer]
"""From the interactions, float32 [users, items], the settings and the seed."""


def answer(models: Mapping[str, Maker]) -> None:
    """Answer the question in the file that the first argument names, in the file that the second names."""
    with np.load(sys.argv[1]) as file:
        question = dict(file)
    users, items, asked, k = question["users"], question["items"], question["asked"], int(question["k"])
    matrix = sparse.csr_matrix((np.ones(len(users), dtype=np.float32), (users, items)))
    found: dict[str, Any] = {}
    for name, request in json.loads(str(question["requests"])).items():
        make = models[name]
        # What a library sets up at its first use is not the model's time.
        first = make(matrix[:64], request["settings"], 0)
        first.fit()
        first.recommend(np.arange(8), 1)
        lists = np.full((len(request["seeds"]), len(asked), k), -1, dtype=np.int64)
        fit, recommend = [], []
        for place, seed in enumerate(request["seeds"]):
            model = make(matrix, request["settings"], seed)
            started = time.perf_counter()
            model.fit()
            fitted = time.perf_counter()
            answered = model.recommend(asked, k)
            recommend.append(time.perf_counter() - fitted)
            fit.append(fitted - started)
            lists[place, :, : answered.shape[1]] = answered
        found |= {f"{name}.lists": lists, f"{name}.fit": np.array(fit), f"{name}.recommend": np.array(recommend)}
    np.savez(sys.argv[2], **found)
