"""What bounds a request and a connection."""

from __future__ import annotations

import math

import msgspec

from feedmill.domain.errors import ConfigError

MIB = 1 << 20


class ApiConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of the HTTP API."""

    max_body_bytes: int = 8 * MIB
    """Of one request, as it comes over the wire."""
    max_events: int = 10_000
    """Events, items or users in one post."""
    body_seconds: float = 10.0
    """From the end of a request's headers to the end of its body; who is slower is answered 408."""
    header_seconds: float = 10.0
    """From a connection, or the first byte of a request, to the end of its headers; then the connection is closed."""
    keep_alive_seconds: float = 30.0
    """How long a connection may stay idle between two requests."""
    request_seconds: float = 30.0
    """From the end of the body to the answer; what takes longer is answered 503."""
    max_connections: int = 1_000
    """Open at once; further ones are answered 503, but for `/health/`."""
    backlog: int = 2_048
    """Connections that may wait to be accepted."""
    workers: int = 4
    """Threads that ask the engine; eight times as many wait for the disk."""

    def __post_init__(self) -> None:
        for name in ("max_body_bytes", "max_events", "max_connections", "backlog", "workers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"api.{name}: must be at least 1, not {getattr(self, name)}")
        for name in ("body_seconds", "header_seconds", "keep_alive_seconds", "request_seconds"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ConfigError(f"api.{name}: must be a number above 0, not {getattr(self, name)}")
