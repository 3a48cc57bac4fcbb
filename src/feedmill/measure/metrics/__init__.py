"""How good predictions and rankings are, and how sure one can be of it."""

from feedmill.measure.metrics.bootstrap import Interval, mean_interval, metric_interval, paired_bootstrap
from feedmill.measure.metrics.by_user import auc_by_user, grouped_auc
from feedmill.measure.metrics.calibration_curve import CalibrationCurve, calibration_curve
from feedmill.measure.metrics.classification import BinaryMetrics, auc, binary_metrics, calibration, log_loss
from feedmill.measure.metrics.groups import (
    attention_by_group,
    head_and_tail,
    quality_by_group,
    shares_by_group,
    thirds,
)
from feedmill.measure.metrics.jackknife import jackknife_interval
from feedmill.measure.metrics.progressive import ProgressiveMetrics, Window
from feedmill.measure.metrics.ranking import (
    RANKING_METRICS,
    Hits,
    RankingMetrics,
    hits_in_arrays,
    hits_in_lists,
    ranking_metrics,
)
from feedmill.measure.metrics.significance import (
    Difference,
    compare,
    holm,
    randomisation_test,
    ratio_interval,
    ratio_intervals,
    user_interval,
)
from feedmill.measure.metrics.thresholds import Confusion, average_precision, best_threshold, confusion_at
from feedmill.measure.metrics.values import mae, rmse
from feedmill.measure.metrics.variety import (
    coverage,
    coverage_without_each,
    diversity,
    gini,
    gini_without_each,
    novelty,
    serendipity,
)

__all__ = [
    "RANKING_METRICS",
    "BinaryMetrics",
    "CalibrationCurve",
    "Confusion",
    "Difference",
    "Hits",
    "Interval",
    "ProgressiveMetrics",
    "RankingMetrics",
    "Window",
    "attention_by_group",
    "auc",
    "auc_by_user",
    "average_precision",
    "best_threshold",
    "binary_metrics",
    "calibration",
    "calibration_curve",
    "compare",
    "confusion_at",
    "coverage",
    "coverage_without_each",
    "diversity",
    "gini",
    "gini_without_each",
    "grouped_auc",
    "head_and_tail",
    "hits_in_arrays",
    "hits_in_lists",
    "holm",
    "jackknife_interval",
    "log_loss",
    "mae",
    "mean_interval",
    "metric_interval",
    "novelty",
    "paired_bootstrap",
    "quality_by_group",
    "randomisation_test",
    "ranking_metrics",
    "ratio_interval",
    "ratio_intervals",
    "rmse",
    "serendipity",
    "shares_by_group",
    "thirds",
    "user_interval",
]
