"""What Feedmill is worth, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from feedmill.measure.monitoring.worth import Worth


class WorthCollector(Collector):
    """Gauges of both arms of the holdout; those that cannot be told yet are left out."""

    def __init__(self, worth: Callable[[], Worth]) -> None:
        self._worth = worth

    def collect(self) -> Iterable[GaugeMetricFamily]:
        worth = self._worth()
        users = GaugeMetricFamily(
            "feedmill_holdout_users", "Users who were served in the period, by arm.", labels=["arm"]
        )
        served = GaugeMetricFamily(
            "feedmill_holdout_served_items", "Items served, each counted less the longer ago it was.", labels=["arm"]
        )
        engagement = GaugeMetricFamily(
            "feedmill_holdout_engagement", "Value earned by a served item in the mean, by arm.", labels=["arm"]
        )
        for name, arm in worth.arms.items():
            users.add_metric([name], arm.users)
            served.add_metric([name], arm.served)
            if arm.engagement is not None:
                engagement.add_metric([name], arm.engagement)
        yield from (users, served, engagement)
        bounds = GaugeMetricFamily(
            "feedmill_holdout_lift",
            "Engagement of Feedmill's feed over that of the popularity feed, less 1, with its 95 % interval.",
            labels=["bound"],
        )
        for name, value in (("low", worth.low), ("estimate", worth.lift), ("high", worth.high)):
            if value is not None:
                bounds.add_metric([name], value)
        yield bounds
