"""When publishing stops."""

from __future__ import annotations

import math

import msgspec

from feedmill.domain.errors import ConfigError


class GuardConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is a cliff: how far a window of examples may fall from the windows before it.

    It changes when parameters are published, never which they are.
    """

    enabled: bool = True
    """Whether publishing stops. Where it does not, the windows are measured all the same."""
    window: int = 1_000
    """Examples of a window."""
    baseline: int = 20
    """A window is compared with the median of so many before it that were well; nothing is judged before a quarter of
    them are there."""
    auc_drop: float = 0.15
    """The AUC of a binary objective may be this much lower; more where it is uncertain, as positives are few."""
    calibration_factor: float = 2.5
    """Predicted positives for each one observed may be this many times more, or fewer."""
    value_bias: float = 0.5
    """The mean prediction of a value may be off the mean value by so many standard deviations of it."""
    prediction_factor: float = 4.0
    """The mean prediction may be this many times higher, or lower."""
    well_windows: int = 2
    """So many windows in a row must be well before publishing goes on."""

    def __post_init__(self) -> None:
        for name, least in (("window", 100), ("baseline", 4), ("well_windows", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"guard.{name}: {getattr(self, name)} must be at least {least}")
        if not 0 < self.auc_drop <= 1:
            raise ConfigError(f"guard.auc_drop: {self.auc_drop} must be above 0 and at most 1")
        if not 0 < self.value_bias < math.inf:
            raise ConfigError(f"guard.value_bias: {self.value_bias} must be a number above 0")
        for name in ("calibration_factor", "prediction_factor"):
            if not 1 < getattr(self, name) < math.inf:
                raise ConfigError(f"guard.{name}: {getattr(self, name)} must be a number above 1")
