"""Metrics of objectives as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from feedmill.measure.metrics.classification import BinaryMetrics
from feedmill.run.cli.terminal import make_table, number, plain
from feedmill.run.objective_metrics import ObjectiveMetrics


def metrics_table(objectives: Mapping[str, ObjectiveMetrics]) -> Table:
    """A row an objective; squared and absolute errors have columns only where an objective is a value."""
    binary = ("positives", "AUC", "log loss", "calibration")
    values = ("squared error", "absolute error")
    found = objectives.values()
    columns = ["rows"]
    columns += binary if any(isinstance(metrics, BinaryMetrics) for metrics in found) else ()
    columns += values if any(not isinstance(metrics, BinaryMetrics) for metrics in found) else ()
    table = make_table("objective", *columns, numbers=frozenset(columns))
    for name, metrics in objectives.items():
        cells = {"rows": f"{metrics.rows:,}"}
        if isinstance(metrics, BinaryMetrics):
            shown = (f"{metrics.positives:,}", *map(number, (metrics.auc, metrics.log_loss, metrics.calibration)))
            cells.update(zip(binary, shown, strict=True))
        else:
            errors = (metrics.mean_squared_error, metrics.mean_absolute_error)
            cells.update(zip(values, map(number, errors), strict=True))
        table.add_row(plain(name), *(cells.get(column, "") for column in columns))
    return table
