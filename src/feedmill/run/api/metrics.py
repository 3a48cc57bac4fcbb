"""What Prometheus is told."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from feedmill.domain.errors import Unavailable
from feedmill.measure.monitoring.arms import FEEDMILL, POPULARITY
from feedmill.run.local.ages import BOUNDS
from feedmill.run.local.live import Live

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_AGES = {
    "state": "From the receipt of an event until feeds are made from it.",
    "trained": "From the receipt of an event until the trainer has learned it.",
    "served": "From the receipt of an event until feeds are ranked by parameters that have learned it.",
}


class ApiMetrics:
    """Requests and events, in a registry of their own; `collectors` add what they know when it is asked for."""

    def __init__(self, live: Live, collectors: Sequence[Collector] = ()) -> None:
        # A gauge of when each counter was made would double the page, and says nothing.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "feedmill_http_requests",
            "Requests, by method, route and status.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "feedmill_http_request_seconds",
            "From the end of a request's headers to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._events = Counter(
            "feedmill_events", "Events that were posted, by answer.", ("answer",), registry=self._registry
        )
        self._by_answer = [self._events.labels(answer) for answer in ("accepted", "duplicate", "rejected")]
        for collector in (_EngineCollector(live), *collectors):
            self._registry.register(collector)

    def count_request(self, method: str, route: str, status: int, started: float) -> None:
        """`started`: `time.perf_counter()` when it began; status 0 is a client that went away."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status) if status else "gone").inc()
        self._seconds.labels(route).observe(time.perf_counter() - started)

    def count_events(self, accepted: int, duplicates: int, rejected: int) -> None:
        for counter, count in zip(self._by_answer, (accepted, duplicates, rejected), strict=True):
            if count:
                counter.inc(count)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class _EngineCollector(Collector):
    """What the engine knows of itself at the moment of asking; little while it starts."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def collect(self) -> Iterable[Metric]:
        status = self._live.status()
        fresh = status.freshness
        yield _gauge(
            "feedmill_ready", "1 when requests are answered, 0 while the server starts.", float(not status.starting)
        )
        yield _gauge("feedmill_log_end", "The position after the last record of the log.", status.log_end)
        yield _gauge("feedmill_users", "Users that are known.", status.users)
        yield _gauge("feedmill_items", "Items that can be served.", status.items)
        yield _gauge("feedmill_state_position", "The log position that the state has folded.", fresh.state_position)
        yield _gauge("feedmill_parameters_step", "Steps that the parameters have learned.", fresh.parameters_step)
        yield _gauge(
            "feedmill_parameters_position",
            "The log position that the parameters have learned.",
            fresh.parameters_position,
        )
        if fresh.parameters_age_ms is not None:
            yield _gauge(
                "feedmill_parameters_age_seconds",
                "Since a trainer said that it had learned what there was.",
                fresh.parameters_age_ms / 1000,
            )
        yield _gauge(
            "feedmill_trainer_lag_records", "Records that the parameters have not learned.", status.trainer_lag
        )
        yield _gauge(
            "feedmill_publishing_held",
            "1 when the trainer's parameters are held back, as they have fallen off a cliff; 0 when they are served.",
            float(status.held is not None),
        )
        yield CounterMetricFamily(
            "feedmill_steps_set_aside",
            "Steps of which some was not learned, as the loss or a gradient was not finite.",
            value=status.set_aside,
        )
        yield from self._ages()
        try:
            yield from self._lost()
            yield from self._stages()
        except Unavailable:
            return

    def _ages(self) -> Iterable[Metric]:
        for name, counts, total in self._live.ages.histograms():
            bounds = [*map(str, BOUNDS), "+Inf"]
            yield HistogramMetricFamily(
                f"feedmill_event_to_{name}_seconds", _AGES[name], list(zip(bounds, counts, strict=True)), total
            )

    def _lost(self) -> Iterable[Metric]:
        yield CounterMetricFamily(
            "feedmill_unlogged_pages",
            "Pages that were answered and did not reach the log.",
            value=self._live.unlogged_pages,
        )
        yield CounterMetricFamily(
            "feedmill_background_failures",
            "How often what is done beside requests has failed: reading parameters, refreshing, heartbeats.",
            value=self._live.failures,
        )
        yield CounterMetricFamily(
            "feedmill_dropped_traces", "Traces that could not be kept.", value=self._live.dropped_traces
        )

    def _stages(self) -> Iterable[Metric]:
        feeds = {FEEDMILL: self._live.counts(), POPULARITY: self._live.popular_counts()}
        runs = CounterMetricFamily(
            "feedmill_stage_requests", "Requests by stage and outcome.", labels=("feed", "kind", "stage", "outcome")
        )
        seconds = CounterMetricFamily(
            "feedmill_stage_seconds", "Time spent in a stage.", labels=("feed", "kind", "stage")
        )
        candidates = CounterMetricFamily(
            "feedmill_stage_candidates",
            "Candidates before and after a stage.",
            labels=("feed", "kind", "stage", "side"),
        )
        stages = [(feed, name, stage) for feed, counts in feeds.items() for name, stage in sorted(counts.items())]
        for feed, name, stage in stages:
            labels = [feed, *name.split("/", 1)]
            outcomes = {
                "ok": stage.runs - stage.failed - stage.late,
                "failed": stage.failed,
                "late": stage.late,
                "refused": stage.refused,
                "disabled": stage.disabled,
            }
            for outcome, count in outcomes.items():
                runs.add_metric([*labels, outcome], count)
            seconds.add_metric(labels, stage.seconds)
            candidates.add_metric([*labels, "entered"], stage.entered)
            candidates.add_metric([*labels, "left"], stage.left)
        yield from (runs, seconds, candidates)


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(name, description, value=value)
