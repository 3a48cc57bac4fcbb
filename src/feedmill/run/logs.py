"""Logs: lines on standard error, at the level that FEEDMILL_LOG names."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import structlog

from feedmill.domain.errors import ConfigError

VARIABLE = "FEEDMILL_LOG"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def open_log() -> Any:
    """The logger of a process. Raises ConfigError for a level that there is not."""
    level = os.environ.get(VARIABLE, "info")
    if level.lower() not in LEVELS:
        raise ConfigError(f"{VARIABLE}: must be one of {', '.join(LEVELS)}, not {level!r}")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Others print the variables of every frame, users' data among them.
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level.lower()]),
        # Looked up for each line: who runs a command inside a process may put another stream there and close it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger()
