"""Protocols by name, with their settings as the command line gives them."""

from __future__ import annotations

from typing import Any

import msgspec

from feedmill.domain.errors import InvalidArgument
from feedmill.measure.evaluation.cold_start import ItemColdStart, UserColdStart
from feedmill.measure.evaluation.folds import InteractionFolds, UserFolds
from feedmill.measure.evaluation.protocol import EvaluationProtocol
from feedmill.measure.evaluation.temporal import LeaveLastOut, Temporal
from feedmill.run.config_layers import suggest

RANKING_PROTOCOLS: dict[str, type[EvaluationProtocol]] = {
    kind.name: kind for kind in (Temporal, LeaveLastOut, UserFolds, InteractionFolds, UserColdStart, ItemColdStart)
}
PROGRESSIVE = "progressive"
NAMES = (*RANKING_PROTOCOLS, PROGRESSIVE)


def make_protocol(name: str, settings: dict[str, Any]) -> EvaluationProtocol:
    """The protocol of that name; settings that are None are its own.

    Raises InvalidArgument for a name that there is not, and for a setting that the protocol does not have.
    """
    kind: Any = RANKING_PROTOCOLS.get(name)
    if kind is None:
        raise InvalidArgument(f"no protocol is called {name!r}{suggest(name, NAMES)}; they are {', '.join(NAMES)}")
    given = {key: value for key, value in settings.items() if value is not None}
    fields = kind.__struct_fields__
    if "seed" not in fields:
        # It is also that of what is resampled.
        given.pop("seed", None)
    for key in given:
        if key not in fields:
            takes = ", ".join(f"--{field}" for field in fields) or "none"
            raise InvalidArgument(f"--{key}: {name} has no such setting; those that it has: {takes}")
    try:
        protocol: EvaluationProtocol = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"{name}: {error}") from None
    return protocol


def settings_of(protocol: EvaluationProtocol) -> dict[str, Any]:
    """Every setting of a protocol and its value."""
    return msgspec.structs.asdict(protocol)  # type: ignore[arg-type]
