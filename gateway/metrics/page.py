"""Rows of all processes as one page in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from gateway.metrics.catalog import METRICS, Metric
from gateway.metrics.tally import Labels, Row, buckets, merged

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def page(rows: Iterable[Row]) -> bytes:
    """The page. Every metric of the catalogue is named, also those that have no value yet."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Rows(rows))
    return generate_latest(registry)


class _Rows(Collector):
    def __init__(self, rows: Iterable[Row]) -> None:
        self._found = merged(rows)

    def collect(self) -> Iterator[Family]:
        """For the registry."""
        for metric in METRICS:
            yield _family(metric, self._found.get(metric.name, {}))


def _family(metric: Metric, series: dict[Labels, list[float]]) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, numbers in sorted(series.items()):
            histogram.add_metric(labels, *buckets(metric.name, numbers))
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    if not metric.labels and not series:
        series = {(): [0.0]} if metric.kind == "counter" else {}
    for labels, numbers in sorted(series.items()):
        family.add_metric(labels, numbers[0])
    return family
