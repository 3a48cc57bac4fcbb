"""How good predictions and rankings are, and how sure one can be of it."""

from feedmill.measure.metrics.bootstrap import Interval, mean_interval, paired_bootstrap
from feedmill.measure.metrics.classification import BinaryMetrics, auc, binary_metrics, calibration, log_loss
from feedmill.measure.metrics.progressive import ProgressiveMetrics, Window
from feedmill.measure.metrics.ranking import RankingMetrics, hit_rate_at, mrr, ndcg_at, ranking_metrics, recall_at

__all__ = [
    "BinaryMetrics",
    "Interval",
    "ProgressiveMetrics",
    "RankingMetrics",
    "Window",
    "auc",
    "binary_metrics",
    "calibration",
    "hit_rate_at",
    "log_loss",
    "mean_interval",
    "mrr",
    "ndcg_at",
    "paired_bootstrap",
    "ranking_metrics",
    "recall_at",
]
