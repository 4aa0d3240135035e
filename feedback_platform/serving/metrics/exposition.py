"""The numbers of all processes as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from feedback_platform.serving.metrics.metric import Labels, Merge, Metric
from feedback_platform.serving.metrics.snapshots import Number, Numbers, added

_WORKER = "worker"


def exposition(metrics: Iterable[Metric], numbers: Mapping[int, Numbers]) -> bytes:
    """Return the numbers of the processes as one text, in the format of Prometheus.

    Args:
        metrics: what there is a number of.
        numbers: of each process, by its place.
    """
    registry = CollectorRegistry()
    registry.register(_Sums(list(metrics), numbers))
    return generate_latest(registry)


class _Sums(Collector):
    def __init__(self, metrics: list[Metric], numbers: Mapping[int, Numbers]) -> None:
        self._metrics = metrics
        self._numbers = numbers

    def collect(self) -> Iterator[Family]:
        return (self._family(metric) for metric in self._metrics)

    def _family(self, metric: Metric) -> Family:
        merged = self._merged(metric)
        if metric.bounds is not None:
            return _histogram(metric, merged, metric.bounds)
        labels = (*metric.labels, _WORKER) if metric.merge is Merge.EACH else metric.labels
        # Times of a process begin anew with it, and are none that is summed up.
        is_gauge = metric.merge is not None and not metric.name.endswith("_total")
        kind = GaugeMetricFamily if is_gauge else CounterMetricFamily
        family = kind(metric.name.removesuffix("_total"), metric.description, labels=labels)
        for values, number in merged.items():
            assert not isinstance(number, list)  # noqa: S101 - that would be a histogram
            family.add_metric(values, number)
        return family

    def _merged(self, metric: Metric) -> dict[Labels, Number]:
        merged: dict[Labels, Number] = {}
        for place, numbers in self._numbers.items():
            for labels, number in numbers.get(metric.name, {}).items():
                if metric.merge is Merge.EACH:
                    merged[*labels, str(place)] = number
                elif metric.merge is Merge.LEAST and labels in merged:
                    merged[labels] = min(merged[labels], number)
                elif metric.merge is Merge.LEAST:
                    merged[labels] = number
                else:
                    merged[labels] = added(merged.get(labels), number)
        return merged


def _histogram(
    metric: Metric, merged: Mapping[Labels, Number], bounds: tuple[float, ...]
) -> Family:
    family = HistogramMetricFamily(metric.name, metric.description, labels=metric.labels)
    names = [*map(str, map(float, bounds)), "+Inf"]
    for labels, number in merged.items():
        assert isinstance(number, list)  # noqa: S101
        *counts, total = number
        buckets = list(zip(names, accumulate(counts), strict=True))
        family.add_metric(labels, buckets, total)
    return family
