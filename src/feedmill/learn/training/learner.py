"""The learner: records in log order become state, examples and parameters."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from feedmill.domain.batches import Examples, Float32s
from feedmill.domain.errors import SnapshotError
from feedmill.domain.records import Record
from feedmill.domain.slots import SlotRegistry
from feedmill.learn.guards.set_aside import Refusal
from feedmill.learn.parameters import Parameters
from feedmill.learn.training.ahead import one_ahead
from feedmill.learn.training.config import LearningConfig
from feedmill.learn.training.device import chosen_device
from feedmill.learn.training.ranking import RankerLearner
from feedmill.learn.training.retrieving import Liked, TwoTowerLearner
from feedmill.learn.training.snapshots import joined_file
from feedmill.stream.files import storage_errors
from feedmill.stream.joining.joiner import Joiner
from feedmill.stream.state.feedback import FeedbackReader
from feedmill.stream.state.snapshot import copy_state, load_state, write_state
from feedmill.stream.state.state import Emit, Folded, State, StateConfig

OPTIMIZER = "optimizer.pt"
JOINER = "joiner.msgpack"


class Step(NamedTuple):
    """What one step did."""

    examples: Examples
    """But for those whose prediction is not finite."""
    predictions: Float32s
    """float32 [examples, O]: of the parameters from before the examples were learned."""
    learned: bool
    """False where the learner was frozen."""
    refusals: tuple[Refusal, ...] = ()
    """What was set aside: not learned, since the loss or a gradient was not finite."""


class _Prepared(NamedTuple):
    """What folding and joining a batch of records gave."""

    examples: Examples
    liked: Liked | None
    frozen: bool


class Learner:
    """State, joiner, parameters and their optimizer as of one place in the log.

    `step` is deterministic: the same records in the same steps give the same parameters, bit for bit, with one torch
    thread. It draws no random numbers; initial parameters and drawn items are functions of the configured seed.
    """

    def __init__(
        self,
        config: LearningConfig,
        registry: SlotRegistry,
        *,
        learn_retrieval: bool = True,
        folder: Path | None = None,
    ) -> None:
        """`folder` is where the joiner keeps what its memory has no room for; without, it keeps that in a temporary
        file, and no snapshot that was taken since can be gone on from."""
        self.config = config
        self.frozen = False
        """While set, parameters stay as they are; state goes on."""
        self.copied = 0
        """Bytes that the last `save` has copied, or that `load` has read of them."""
        seed = config.training.seed
        reader = FeedbackReader(config.actions, config.objectives)
        self.state = State(StateConfig(config.features, reader, frozenset(config.join.served_means_seen), seed))
        device = chosen_device(config.training.device)
        self.parameters = Parameters(config, registry, self.state.native.dense_columns, device=device)
        self._learns_retrieval = learn_retrieval
        self.joiner = Joiner(
            config.join,
            self.state,
            self.parameters.ranker_schema,
            seed,
            disk=None if folder is None else folder / joined_file(self.digest),
            snapshots=config.training.keep_snapshots,
        )
        self.ranker = RankerLearner(self.parameters)
        self.towers = TwoTowerLearner(self.parameters)
        self._emit = [Emit(self.parameters.ranker_schema.view, "examples")]
        if learn_retrieval:
            towers = self.parameters.user_schema, self.parameters.item_schema
            self._emit += [Emit(schema.view, "liked") for schema in towers]

    @property
    def digest(self) -> bytes:
        """The same for two learners exactly when one can go on from the other's snapshot."""
        return self.config.digest() + (b"" if self._learns_retrieval else b" without retrieval")

    def step(self, records: Sequence[Record]) -> Step:
        """Fold records, join them, predict the examples that this completes, and learn from those."""
        return self._learn(self._prepare(records))

    def run(self, batches: Iterator[Sequence[Record]]) -> Iterator[Step]:
        """`step` for each batch, with the same results; a batch is folded while the one before it is learned.

        State is ahead of the parameters until the last step: take a snapshot only when there are no more.
        """
        return map(self._learn, one_ahead(map(self._prepare, batches)))

    def save(self, folder: Path, begun: Callable[[], None] = lambda: None) -> None:
        """Write everything to files in `folder`, as it is when `begun` is called: the next steps may go on from then.

        Until then it is copied: 0.1 s a gigabyte of state, and a microsecond an impression or page of the joiner.
        Raises StorageError when the disk refuses.
        """
        state, waiting, optimizer = copy_state(self.state), self.joiner.dump(), BytesIO()
        torch.save(self.ranker.optimizer.state_dict(), optimizer)
        self.copied = len(waiting) + sum(array.nbytes for array in state.values())
        self.parameters.save(folder, begun)
        with storage_errors(folder):
            (folder / OPTIMIZER).write_bytes(optimizer.getbuffer())
            (folder / JOINER).write_bytes(waiting)
        write_state(state, folder)

    def load(self, folder: Path) -> None:
        """Make a new learner what `save` wrote.

        Raises SnapshotError when the files are damaged; the learner is then of no further use.
        """
        self.copied = load_state(self.state, folder)
        self.load_parameters(folder)
        try:
            waiting = (folder / JOINER).read_bytes()
        except OSError as error:
            raise SnapshotError(f"{folder / JOINER}: cannot be read ({error.strerror})") from None
        self.joiner.load(waiting)

    def load_parameters(self, folder: Path) -> None:
        """Make parameters and optimizer what `save` wrote; state and joiner stay as they are.

        Raises SnapshotError when the files are damaged; the learner is then of no further use.
        """
        self.parameters.load(folder)
        self.ranker = RankerLearner(self.parameters)
        try:
            self.ranker.optimizer.load_state_dict(_read_optimizer(folder))
        except (OSError, EOFError, RuntimeError, LookupError, TypeError, ValueError, pickle.UnpicklingError) as error:
            raise SnapshotError(f"{folder / OPTIMIZER}: cannot be read ({error})") from None

    def close(self) -> None:
        """Release files. What was not saved is lost."""
        self.joiner.close()

    def _prepare(self, records: Sequence[Record]) -> _Prepared:
        folded = self.state.fold(records, self._emit)
        examples = self.joiner.push(records, folded)
        return _Prepared(examples, self._liked(folded) if self._learns_retrieval else None, self.frozen)

    def _learn(self, prepared: _Prepared) -> Step:
        examples, liked, frozen = prepared
        size = self.config.training.batch
        parts = [examples] if len(examples) <= size else _split(examples, size)
        predicted, refusals = [np.empty((0, len(self.config.objectives)), dtype=np.float32)], []
        for part in parts:
            if len(part):
                predictions, refusal = self._rank(part, frozen=frozen)
                predicted.append(predictions)
                refusals.append(refusal)
        if liked is not None and not frozen:
            refusals.append(self.towers.learn(liked))
        examples, predictions = _predicted(examples, np.concatenate(predicted))
        refused = tuple(refusal for refusal in refusals if refusal is not None)
        return Step(examples, predictions, learned=not frozen, refusals=refused)

    def _rank(self, examples: Examples, *, frozen: bool) -> tuple[Float32s, Refusal | None]:
        return (self.parameters.predict(examples.features), None) if frozen else self.ranker.learn(examples)

    def _liked(self, folded: Folded) -> Liked:
        (users, rows), (items, _) = folded.emitted[1], folded.emitted[2]
        ordinals = folded.rows.items[rows]
        popularity = self.state.native.positives(ordinals).astype(np.float32)
        keys = self.state.catalog.items.keys[ordinals]
        return Liked(users, items, popularity, keys, folded.rows.timestamps[rows])


def _read_optimizer(folder: Path) -> Any:
    """Its state, wherever it was learned; the optimizer moves it to where its parameters are."""
    return torch.load(folder / OPTIMIZER, weights_only=True, map_location="cpu")


def _predicted(examples: Examples, predictions: Float32s) -> tuple[Examples, Float32s]:
    """The rows whose predictions are numbers."""
    finite = np.isfinite(predictions).all(axis=1)
    if finite.all():
        return examples, predictions
    return examples.take(np.flatnonzero(finite)), predictions[finite]


def _split(examples: Examples, size: int) -> list[Examples]:
    starts = range(0, len(examples), size)
    return [examples.take(np.arange(start, min(start + size, len(examples)))) for start in starts]
