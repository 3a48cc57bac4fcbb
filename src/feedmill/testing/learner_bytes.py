"""All that a learner holds, as bytes: two learners are equal when these are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from feedmill.learn.training.learner import Learner
from feedmill.stream.state.snapshot import FILE, copy_state, write_state


def parameter_bytes(learner: Learner) -> dict[str, bytes]:
    """Every parameter: the rows of all ids that the table has, by slot, and the dense ones with their optimizer."""
    held = learner.parameters
    ids = np.sort(held.table.touched(0))
    parameters = {"ids": ids.tobytes()}
    for number, slot in held.slots.items():
        own = ids[ids >> np.uint64(52) == number]
        parameters[f"slot {slot.name}"] = held.table.lookup(own, slot.dimension).tobytes()
    for name, tensor in held.network.state_dict().items():
        parameters[f"dense {name}"] = tensor.cpu().numpy().tobytes()
    for index, kept in learner.ranker.optimizer.state_dict()["state"].items():
        for name, value in kept.items():
            parameters[f"optimizer {index} {name}"] = torch.as_tensor(value).cpu().numpy().tobytes()
    return parameters


def learner_bytes(learner: Learner, folder: Path) -> dict[str, bytes]:
    """Parameters, state and joiner; `folder` is written to on the way."""
    learner.parameters.table.snapshot(folder / "table.bin")
    write_state(copy_state(learner.state), folder)
    return parameter_bytes(learner) | {
        "table": (folder / "table.bin").read_bytes(),
        "state": (folder / FILE).read_bytes(),
        "joiner": learner.joiner.dump(),
    }
