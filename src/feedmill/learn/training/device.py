"""Where the dense part of the ranker learns."""

from __future__ import annotations

import torch

from feedmill.domain.errors import ConfigError


def chosen_device(asked: str) -> torch.device:
    """The device of `training.device`: `cpu`, `cuda`, or `auto` for a GPU where there is one.

    Raises ConfigError for `cuda` where there is none.
    """
    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        built = "built without CUDA" if torch.version.cuda is None else f"built for CUDA {torch.version.cuda}"
        raise ConfigError(
            f"training.device: 'cuda' is asked for, and torch {torch.__version__} ({built}) finds no GPU; say 'cpu', or"
            " 'auto' to take one where there is one. On a machine with a GPU, `make setup TORCH_INDEX=` installs the"
            " torch that uses it"
        )
    return torch.device("cuda" if found and asked != "cpu" else "cpu")
