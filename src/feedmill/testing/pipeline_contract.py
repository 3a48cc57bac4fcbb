"""What every stage of a feed must do, and a small world in memory to try stages in.

    @pytest.mark.parametrize("stage_class", find_stages("mypackage.stages"))
    class TestMyStages(StageContract):
        pass

A stage is built by the names of its constructor's parameters, which are attributes of `World` (`catalog`, `state`,
`popularity`, `two_tower`, `extractor`, `ranker`, `objectives`); its config gets its default.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter, defaultdict
from dataclasses import fields, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from feedmill.domain.batches import Features, Float32s, Int64s
from feedmill.domain.clock import DAY, HOUR
from feedmill.domain.objectives import Objective
from feedmill.domain.records import Audience, Item, Scalar, User
from feedmill.serve.pipeline.candidates import Candidates, Retrieved, merge
from feedmill.serve.pipeline.readers import Bools, Int32s, UInt16s
from feedmill.serve.pipeline.request import HydratedRequest
from feedmill.serve.pipeline.stages import (
    Backfill,
    CandidateHydrator,
    Filter,
    RequestHydrator,
    Reranker,
    Scorer,
    Selector,
    Source,
)
from feedmill.serve.retrieval.popularity import Popularity
from feedmill.stream.catalog.columns import Catalog

NOW = 1_700_000_000_000
KINDS: tuple[type, ...] = (
    RequestHydrator, Source, Backfill, CandidateHydrator, Filter, Scorer, Reranker, Selector,
)  # fmt: skip


class MemoryHistory(NamedTuple):
    """Newest first."""

    items: Int32s
    weights: Float32s
    timestamps: Int64s


class MemoryState:
    """What a state answers, from plain dictionaries."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._views: Counter[tuple[int, int]] = Counter()
        self._hidden: set[tuple[int, int]] = set()
        self._acts: defaultdict[int, list[tuple[int, float, int]]] = defaultdict(list)
        self._relations: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def show(self, user_id: str, *item_ids: str) -> None:
        """The user is shown items."""
        user = self._catalog.users.add(user_id)
        self._views.update((user, self._catalog.items.add(item_id)) for item_id in item_ids)

    def act(self, user_id: str, item_id: str, weight: float, at: int = NOW - HOUR, hides: bool = False) -> None:
        """The user, shown an item, likes it (a weight above 0) or rejects it."""
        self.show(user_id, item_id)
        user, item = self._catalog.users.add(user_id), self._catalog.items.add(item_id)
        self._acts[user].insert(0, (item, weight, at))
        if hides:
            self._hidden.add((user, item))

    def relate(self, user_id: str, relation: str, other: str) -> None:
        """The user follows or blocks somebody."""
        self._relations[user_id, relation].add(other)

    def views(self, user: int, items: Int32s) -> UInt16s:
        return np.array([self._views[user, int(item)] for item in items], np.uint16)

    def hidden(self, user: int, items: Int32s) -> Bools:
        return np.array([(user, int(item)) in self._hidden for item in items], np.bool_)

    def history(self, user: int) -> MemoryHistory:
        items, weights, timestamps = zip(*self._acts[user], strict=True) if self._acts[user] else ((), (), ())
        return MemoryHistory(np.array(items, np.int32), np.array(weights, np.float32), np.array(timestamps, np.int64))

    def neighbours(self, item: int, limit: int) -> tuple[Int32s, Float32s]:
        together: Counter[int] = Counter()
        for acts in self._acts.values():
            liked = {other for other, weight, _ in acts if weight > 0}
            if item in liked:
                together.update(liked - {item})
        best = sorted(together.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
        return np.array([other for other, _ in best], np.int32), np.array([n for _, n in best], np.float32)

    def popularity(self, now: int) -> Float32s:
        scores = np.zeros(len(self._catalog.items), np.float32)
        for acts in self._acts.values():
            for item, weight, at in acts:
                scores[item] += (weight > 0) * 0.5 ** ((now - at) / DAY)
        return scores

    def impressions(self, items: Int32s) -> npt.NDArray[np.uint32]:
        shown: Counter[int] = Counter()
        for (_, item), times in self._views.items():
            shown[item] += times
        return np.array([shown[int(item)] for item in items], np.uint32)

    def related(self, user_id: str, relation: str) -> frozenset[str]:
        return frozenset(self._relations[user_id, relation])


class MemoryTwoTower:
    """An item's vector says which of eight categories it has; a user's is the sum of those liked."""

    def __init__(self, catalog: Catalog, state: MemoryState) -> None:
        self._items = catalog.items
        self._state = state
        self.version = 1

    def item_vectors(self, items: Int32s) -> Float32s:
        vectors = np.zeros((len(items), 8), np.float32)
        vectors[np.arange(len(items)), self._items.categories[items] % np.uint64(8)] = 1
        return vectors

    def user_vector(self, user: int) -> Float32s:
        history = self._state.history(user)
        return np.asarray(history.weights @ self.item_vectors(history.items), np.float32)


class MemoryExtractor:
    """Two dense columns: how popular the item is, and whether the user has liked its category."""

    def __init__(self, catalog: Catalog, state: MemoryState) -> None:
        self._items = catalog.items
        self._state = state

    def extract(self, user: int, items: Int32s, now: int, context: dict[str, Scalar]) -> Features:
        liked = np.empty(0, np.uint64)
        if user >= 0:
            history = self._state.history(user)
            liked = self._items.categories[history.items[history.weights > 0]]
        popularity = self._state.popularity(now)[items]
        dense = np.stack([popularity, np.isin(self._items.categories[items], liked)], axis=1).astype(np.float32)
        return Features(self._items.keys[items], np.arange(len(items) + 1, dtype=np.int64), dense)


class MemoryRanker:
    """Two objectives, logistic in the two columns."""

    def predict(self, features: Features) -> Float32s:
        weights = np.array([[0.5, 0.2], [1.0, 2.0]], np.float32)
        return np.asarray(1 / (1 + np.exp(2 - features.dense @ weights)), np.float32)


class World:
    """Sixty items of six authors in four categories, some of which not everybody may see, and three users.

    `ann` has liked, rejected and hidden items, follows `author0`, blocks `author5` and has an interest in `category2`;
    `bob` has liked one item; nobody has heard of `zoe`.
    """

    def __init__(self, items: int = 60) -> None:
        self.catalog = Catalog()
        self.state = MemoryState(self.catalog)
        for number in range(items):
            self.catalog.items.put(
                f"item{number}",
                Item(
                    title=f"Title {number}",
                    author_id=f"author{number % 6}",
                    categories=(f"category{number % 4}",),
                    tags=(f"tag{number % 5}",),
                    created_at=NOW - number * DAY,
                    expires_at=NOW - DAY if number % 20 == 11 else None,
                    visible=number % 20 != 12,
                    audience=Audience(users=("ann",), max_views=2) if number % 20 == 13 else None,
                ),
            )
        self.catalog.users.put("ann", User(interests=("category2",), attributes={"country": "SE"}))
        self.catalog.users.put("bob", User())
        for number in range(0, items, 7):
            self.state.act("ann", f"item{number}", -1.0 if number % 3 == 2 else 1.0, hides=number % 3 == 2)
        for number in range(0, items, 14):
            self.state.act(f"user{number % 4}", f"item{number}", 1.0)
            self.state.act(f"user{number % 4}", f"item{(number + 5) % items}", 1.0)
        if items:
            self.state.act("bob", "item0", 1.0)
        self.state.relate("ann", "follow", "author0")
        self.state.relate("ann", "block", "author5")
        self.popularity = Popularity(self.catalog, self.state)
        self.two_tower = MemoryTwoTower(self.catalog, self.state)
        self.extractor = MemoryExtractor(self.catalog, self.state)
        self.ranker = MemoryRanker()
        self.objectives = {"like": Objective("like", weight=2.0), "hide": Objective("hide", weight=-1.0)}

    def build(self, stage_class: type[Any], **config: Any) -> Any:
        """A stage of this class with its default config, but for these keys; sources are refreshed."""
        arguments: dict[str, Any] = {}
        for name, parameter in inspect.signature(stage_class).parameters.items():
            if name != "config" and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                known = hasattr(self, name) or parameter.default is not inspect.Parameter.empty
                assert known, (
                    f"{stage_class.__name__} asks for {name}, which the world does not have: give it a default"
                )
                if hasattr(self, name):
                    arguments[name] = getattr(self, name)
        stage = stage_class(**arguments)
        if config:
            stage = stage_class(**arguments, config=msgspec.structs.replace(stage.config, **config))
        if _kind(stage_class) is Source:
            stage.refresh(NOW)
        elif _kind(stage_class) is Backfill:
            self.popularity.refresh(NOW)
        return stage

    def request(self, user_id: str = "ann", **changes: Any) -> HydratedRequest:
        """A hydrated request of one of the users."""
        user = self.catalog.users.ids.find(user_id)
        known: dict[str, Any] = {"user_id": user_id, "now": NOW}
        if user >= 0:
            known |= {"user": user, "profile": self.catalog.users.body(user), "history": self.state.history(user)}
        return HydratedRequest(**(known | changes))

    def candidates(self, *items: int) -> Candidates:
        """These items (all, where none is named) from two sources, described, scored, best first."""
        ordinals = np.array(items or range(len(self.catalog.items)), np.int32)
        found = Retrieved.of(ordinals, np.linspace(1, 0, len(ordinals)))
        few = Retrieved.of(ordinals[::5], np.ones(len(ordinals[::5])))
        merged = merge([found, few], {"found": 1.0, "fresh": 1.0})
        return replace(
            merged,
            authors=self.catalog.items.authors[ordinals],
            categories=self.catalog.items.categories[ordinals],
            scores=np.linspace(1, 0, len(ordinals), dtype=np.float32),
        )


def find_stages(package: str) -> list[type[Any]]:
    """Every class in a package that implements a stage, by the name of its module."""
    found: dict[str, type[Any]] = {}
    root = importlib.import_module(package)
    names = [package, *(module.name for module in pkgutil.walk_packages(root.__path__, f"{package}."))]
    for module_name in names:
        for _, member in inspect.getmembers(importlib.import_module(module_name), inspect.isclass):
            if member.__module__ == module_name and _kind(member) and not inspect.isabstract(member):
                found[f"{module_name}.{member.__qualname__}"] = member
    return [found[name] for name in sorted(found)]


def _kind(stage_class: type[Any]) -> type[Any] | None:
    # A protocol stands in the list of what it derives from, but only those that implement it derive from a kind.
    ancestors = stage_class.__mro__[1:]
    return next((kind for kind in KINDS if kind in ancestors), None)


def run_stage(stage: Any, request: HydratedRequest, candidates: Candidates) -> Any:
    """Run a stage of any kind."""
    kind = _kind(type(stage))
    if kind is RequestHydrator:
        return stage.hydrate(request)
    if kind is Source:
        return stage.fetch(request)
    if kind is Backfill:
        return stage.fill(request, candidates.items[:5], 10)
    method = {CandidateHydrator: "hydrate", Filter: "judge", Scorer: "score", Reranker: "rerank", Selector: "select"}
    assert kind in method, f"{type(stage).__name__} is of no known kind"
    return getattr(stage, method[kind])(request, candidates)


def columns(value: Any) -> dict[str, Any]:
    """The arrays of a result, by name; deep enough to compare two results."""
    if isinstance(value, np.ndarray):
        return {"": value.copy()}
    names: list[str] = []
    if hasattr(value, "__dataclass_fields__"):
        names = [field.name for field in fields(value)]
    elif hasattr(value, "_fields"):
        names = list(value._fields)
    if not names:
        return {"": value}
    return {f"{name}.{inner}": part for name in names for inner, part in columns(getattr(value, name)).items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two results, as `columns`, are equal bit for bit."""
    return one.keys() == other.keys() and all(
        np.array_equal(part, other[name], equal_nan=part.dtype.kind == "f")
        if isinstance(part, np.ndarray)
        else part == other[name]
        for name, part in one.items()
    )


def check_aligned(stage: Any, request: HydratedRequest, candidates: Candidates, result: Any, items: int) -> None:
    """Fails where columns do not fit each other, or where candidates were added or lost against the rules."""
    kind = _kind(type(stage))
    n = len(candidates)
    if kind is RequestHydrator:
        assert (result.user_id, result.now, result.limit) == (request.user_id, request.now, request.limit)
    elif kind in (Source, Backfill):
        assert (result.items.dtype, result.scores.dtype, result.evidence.dtype) == (np.int32, np.float32, np.uint64)
        assert len(result.items) == len(result.scores) == len(result.evidence)
        assert len(np.unique(result.items)) == len(result.items), "an item is named twice"
        assert ((result.items >= 0) & (result.items < items)).all(), "an ordinal that the catalog does not have"
        assert np.isfinite(result.scores).all()
        assert len(result) <= (stage.config.limit if kind is Source else 10)
        if kind is Backfill:
            assert not np.isin(result.items, candidates.items[:5]).any(), "names what is known already"
        for item, evidence in zip(result.items.tolist(), result.evidence.tolist(), strict=True):
            why = stage.why(request, item, evidence)
            assert why
            assert not why.endswith(".")
    elif kind is Filter:
        assert (result.kept.dtype, result.codes.dtype) == (np.bool_, np.uint8)
        assert len(result.kept) == len(result.codes) == n
        assert (result.codes[~result.kept] < len(result.reasons)).all()
        assert all(result.reasons)
    elif kind is Selector:
        assert len(result.chosen) == len(result.probabilities) == min(request.limit, n)
        assert len(np.unique(result.chosen)) == len(result.chosen), "a candidate fills two positions"
        drawn = result.probabilities[~np.isnan(result.probabilities)]
        assert ((drawn > 0) & (drawn <= 1)).all()
    else:
        rows = np.sort(result.rows) if kind is Reranker else result.rows
        assert np.array_equal(rows, np.sort(candidates.rows) if kind is Reranker else candidates.rows)
        for name in ("items", "named", "source_scores", "evidence", "scores", "predictions", "feature_rows"):
            assert len(getattr(result, name)) == n, f"{name} has another length than the candidates"
        place = np.searchsorted(candidates.rows, result.rows)
        assert np.array_equal(result.items, candidates.items[place]), "rows and items have come apart"


class StageContract:
    """The tests of every stage; parametrised with `stage_class`."""

    def test_its_name_is_a_word_for_configuration_and_counts(self, stage_class: type[Any]) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", stage_class.name)

    def test_its_config_survives_json_and_toml(self, stage_class: type[Any]) -> None:
        config = World().build(stage_class).config
        assert msgspec.json.decode(msgspec.json.encode(config), type=type(config)) == config
        assert msgspec.toml.decode(msgspec.toml.encode(config), type=type(config)) == config

    def test_its_config_has_no_room_for_unknown_keys(self, stage_class: type[Any]) -> None:
        config = World().build(stage_class).config
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(msgspec.to_builtins(config) | {"no_such_key": 1}, type(config))

    def test_a_stage_that_is_switched_off_has_no_part_in_any_request(self, stage_class: type[Any]) -> None:
        world = World()
        stage = world.build(stage_class, enabled=False)
        assert not any(stage.enabled(world.request(user)) for user in ("ann", "bob", "zoe"))

    @pytest.mark.parametrize("user_id", ["ann", "bob", "zoe"])
    def test_columns_stay_aligned_for_every_kind_of_user(self, stage_class: type[Any], user_id: str) -> None:
        world = World()
        request, stage, candidates = world.request(user_id), world.build(stage_class), world.candidates()
        if stage.enabled(request):
            result = run_stage(stage, request, candidates)
            check_aligned(stage, request, candidates, result, len(world.catalog.items))

    @pytest.mark.parametrize("user_id", ["ann", "zoe"])
    def test_no_candidates_are_no_problem(self, stage_class: type[Any], user_id: str) -> None:
        world = World()
        request, stage = world.request(user_id), world.build(stage_class)
        nothing = world.candidates().take(np.empty(0, np.intp))
        if stage.enabled(request):
            check_aligned(stage, request, nothing, run_stage(stage, request, nothing), len(world.catalog.items))

    def test_an_empty_catalogue_is_no_problem(self, stage_class: type[Any]) -> None:
        world = World(items=0)
        request, stage, nothing = world.request("ann"), world.build(stage_class), world.candidates()
        if stage.enabled(request):
            check_aligned(stage, request, nothing, run_stage(stage, request, nothing), 0)

    def test_what_it_is_given_is_left_as_it_was(self, stage_class: type[Any]) -> None:
        world = World()
        request, stage, candidates = world.request("ann"), world.build(stage_class), world.candidates()
        for part in (*columns_of(candidates), *columns_of(request.history)):
            part.setflags(write=False)
        before = columns(candidates), columns(request)
        if stage.enabled(request):
            run_stage(stage, request, candidates)
        assert same(before[0], columns(candidates))
        assert same(before[1], columns(request))

    def test_the_same_request_has_the_same_answer(self, stage_class: type[Any]) -> None:
        world = World()
        request, candidates = world.request("ann"), world.candidates()
        stage = world.build(stage_class)
        if stage.enabled(request):
            first = columns(run_stage(stage, request, candidates))
            assert same(first, columns(run_stage(stage, request, candidates)))
            assert same(first, columns(run_stage(World().build(stage_class), request, candidates)))

    def test_a_filter_judges_every_candidate_for_itself(self, stage_class: type[Any]) -> None:
        if _kind(stage_class) is not Filter:
            return
        world = World()
        request, stage, candidates = world.request("ann"), world.build(stage_class), world.candidates()
        together = stage.judge(request, candidates)
        backwards = stage.judge(request, candidates.take(np.arange(len(candidates))[::-1]))
        assert np.array_equal(together.kept, backwards.kept[::-1])
        alone = [bool(stage.judge(request, candidates.take(np.array([row]))).kept[0]) for row in range(len(candidates))]
        assert together.kept.tolist() == alone


def columns_of(value: Any) -> list[npt.NDArray[Any]]:
    """The arrays themselves."""
    names = [field.name for field in fields(value)] if hasattr(value, "__dataclass_fields__") else value._fields
    return [part for part in (getattr(value, name) for name in names) if isinstance(part, np.ndarray)]
