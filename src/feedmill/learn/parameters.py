"""What scores: the table, the ranker's network, and the slots that ranker and towers read. It does not learn."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xxhash

from feedmill.domain.batches import Features, Float32s
from feedmill.domain.errors import InvalidArgument, SnapshotError
from feedmill.domain.ids import MAX_SLOT, VALUE_BITS, UInt64s
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.models.ranker import Ranker, ranker_schema, rate_columns
from feedmill.learn.models.two_tower import tower_schemas
from feedmill.learn.table.storage import Storage
from feedmill.learn.table.table import EmbeddingTable
from feedmill.learn.training.config import LearningConfig
from feedmill.stream.features.schema import Schema
from feedmill.stream.files import storage_errors

TABLE = "table.bin"
DENSE = "dense.bin"
CPU = torch.device("cpu")

_CHECKS = struct.Struct("<QQ")
_versions = itertools.count(1)


class Rows(NamedTuple):
    """Some rows of one dimension, as values: not as a change of them."""

    ids: UInt64s
    """uint64 [n], ascending."""
    vectors: Float32s
    """float32 [n, dimension]."""


class Parameters:
    """Everything that predictions depend on besides features; initial ones are a function of the configured seed.

    A learner owns one and changes it. A server owns another and brings it up to date with `put`. Any number of threads
    may predict meanwhile: each call sees the rows as they were between two changes, and one network or the next.
    """

    def __init__(
        self,
        config: LearningConfig,
        registry: SlotRegistry,
        dense_columns: int,
        storage: Storage = "float32",
        *,
        device: torch.device = CPU,
    ) -> None:
        """Registers the slots that the configuration names. `dense_columns` is what the state's features have; `device`
        is where the network is.

        With a `storage` that rounds vectors they can be followed with `load` and `put`, but not learned or saved.

        Raises ConfigError for a slot of a feature that the configuration does not have.
        """
        self.config = config
        self.ranker_schema = ranker_schema(registry, config.features, config.ranker, len(config.objectives))
        self.user_schema, self.item_schema = tower_schemas(registry, config.features, config.retrieval)
        self.registry_digest = registry.digest()
        # A slot may stand in both towers.
        schemas = self.ranker_schema, self.user_schema, self.item_schema
        self.slots = {slot.number: slot for schema in schemas for slot in schema.slots}
        self.table = EmbeddingTable(
            self.slots.values(), config.training.seed, waiting=config.ranker.waiting, storage=storage
        )
        self.device = device
        self.version = 0
        """Another one whenever the towers may have changed; no two states of any parameters in a process share one,
        but for 0: initial parameters."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.training.seed)
            self.network = self._new_network(dense_columns).to(device)
        self._dense_columns = dense_columns
        binary = [objective.kind == "binary" for objective in config.objectives.values()]
        self._binary = torch.tensor(binary, device=device)
        self._dimensions = np.zeros(MAX_SLOT + 1, dtype=np.int64)
        for number, slot in self.slots.items():
            self._dimensions[number] = slot.dimension

    @property
    def digest(self) -> bytes:
        """The same for two exactly when they are made alike from the same log."""
        return self.config.digest()

    def predict(self, features: Features) -> Float32s:
        """float32 [n, O]: probabilities of binary objectives, values of regressed ones; of the ranker's schema."""
        with torch.inference_mode():
            rows = torch.from_numpy(self.rows(features, self.ranker_schema)).to(self.device)
            return self.predictions(self.network(rows, torch.from_numpy(features.dense).to(self.device)))

    def user_vectors(self, features: Features) -> Float32s:
        """float32 [n, dimension] of features of the user's schema."""
        vectors: Float32s = self.rows(features, self.user_schema).sum(axis=1)
        return vectors

    def item_vectors(self, features: Features) -> Float32s:
        """float32 [n, dimension] of features of the item's schema."""
        vectors: Float32s = self.rows(features, self.item_schema).sum(axis=1)
        return vectors

    def rows(self, features: Features, schema: Schema) -> Float32s:
        """float32 [n, slots, dimension]: the rows that a model reads."""
        dimension = schema.slots[0].dimension
        rows = self.table.pooled_lookup(features.ids, features.offsets, "mean", dimension)
        return rows.reshape(len(features), len(schema), dimension)

    def predictions(self, logits: torch.Tensor) -> Float32s:
        """float32 [n, O]: what the network's output means."""
        predictions: Float32s = torch.where(self._binary, torch.sigmoid(logits), logits).cpu().numpy()
        return np.ascontiguousarray(predictions)

    def towers_changed(self) -> None:
        """To be called by whoever changes rows of the towers."""
        self.version = next(_versions)

    def touched(self, since: int) -> dict[int, Rows]:
        """The rows that have changed after a version of the table, by dimension; cost: linear in the changes."""
        ids = np.sort(self.table.touched(since))
        dimensions = self._dimensions[ids >> np.uint64(VALUE_BITS)]
        by_dimension = {}
        for dimension in np.unique(dimensions).tolist():
            own = ids[dimensions == dimension]
            by_dimension[dimension] = Rows(own, self.table.lookup(own, dimension))
        return by_dimension

    def put(self, rows: Mapping[int, Rows], dense: bytes | None, *, now: int) -> None:
        """Set rows, by dimension, and where given all dense parameters, as they are elsewhere. Twice is as once.

        Raises InvalidArgument or SnapshotError where they cannot be of such parameters: nothing is changed then.
        """
        network = None if dense is None else self._network_of(dense)
        for dimension, some in rows.items():
            self._check_rows(dimension, some)
        for some in rows.values():
            self.table.put(some.ids, some.vectors, now=now)
        if network is not None:
            self.network = network
        self.towers_changed()

    def dense(self) -> bytes:
        """All dense parameters, float32 in the network's order, behind checksums of their layout and of themselves."""
        values = _values(self.network)
        return _CHECKS.pack(_layout(self.network), xxhash.xxh3_64_intdigest(values)) + values

    def put_dense(self, dense: bytes) -> None:
        """Take the place of what there is, as one: a prediction that is being made ends with the old ones.

        A network that an optimizer knows must not be replaced. Raises SnapshotError where the bytes are damaged or of
        another network.
        """
        self.network = self._network_of(dense)

    def save(self, folder: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write everything to two files in `folder`, as it is when `begun` is called: it may change from then on.

        Raises StorageError when the disk refuses.
        """
        with storage_errors(folder):
            (folder / DENSE).write_bytes(self.dense())
        self.table.snapshot(folder / TABLE, begun)

    def load(self, folder: Path) -> None:
        """Become what `save` wrote: the network too is another one then.

        Raises SnapshotError, naming the file, when one is missing, damaged or of other parameters; what was loaded by
        then stays.
        """
        try:
            dense = (folder / DENSE).read_bytes()
        except OSError as error:
            raise SnapshotError(f"{folder / DENSE}: cannot be read ({error.strerror})") from None
        try:
            network = self._network_of(dense)
        except SnapshotError as error:
            raise SnapshotError(f"{folder / DENSE}: {error}") from None
        self.table.restore(folder / TABLE)
        self.network = network
        self.towers_changed()

    def _new_network(self, dense_columns: int) -> Ranker:
        objectives = len(self.config.objectives)
        rates = rate_columns(self.config.features, objectives)
        return Ranker(self.config.ranker, self.ranker_schema.slots, dense_columns, objectives, rates)

    def _network_of(self, dense: bytes) -> Ranker:
        with torch.random.fork_rng(devices=[]):
            network = self._new_network(self._dense_columns)
        size = sum(tensor.numel() for tensor in network.state_dict().values())
        if len(dense) < _CHECKS.size:
            raise SnapshotError("dense parameters: damaged: they end too early")
        layout, check = _CHECKS.unpack_from(dense)
        if check != xxhash.xxh3_64_intdigest(memoryview(dense)[_CHECKS.size :]):
            raise SnapshotError("dense parameters: damaged: their checksum is wrong")
        if layout != _layout(network) or len(dense) != _CHECKS.size + 4 * size:
            raise SnapshotError("dense parameters: of a network of another shape")
        values = torch.from_numpy(np.frombuffer(dense, "<f4", size, _CHECKS.size).astype(np.float32))
        start = 0
        for tensor in network.state_dict().values():
            tensor.copy_(values[start : start + tensor.numel()].view(tensor.shape))
            start += tensor.numel()
        return network.to(self.device)

    def _check_rows(self, dimension: int, rows: Rows) -> None:
        if rows.vectors.shape != (len(rows.ids), dimension) or not np.isfinite(rows.vectors).all():
            raise InvalidArgument(
                f"rows of dimension {dimension}: vectors of shape {rows.vectors.shape} for {len(rows.ids)} ids, or"
                " some that are not finite"
            )
        own = self._dimensions[rows.ids >> np.uint64(VALUE_BITS)]
        if not (own == dimension).all() or not rows.ids.all():
            raise InvalidArgument(f"rows of dimension {dimension}: an id is of no slot that has this dimension")


def _layout(network: Ranker) -> int:
    shapes = [(name, list(tensor.shape)) for name, tensor in network.state_dict().items()]
    return xxhash.xxh3_64_intdigest(repr(shapes).encode())


def _values(network: Ranker) -> bytes:
    flat = [tensor.cpu().numpy().astype("<f4").ravel() for tensor in network.state_dict().values()]
    return np.concatenate(flat).tobytes()
