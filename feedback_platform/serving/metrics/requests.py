"""Which requests came, what became of them, and how long that took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from feedback_platform.ingestion.collector.distribution import Distribution
from feedback_platform.serving.metrics.metric import Metric, gauge

SECONDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0),
)
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
_OTHER: Final = "other"
# A stream is open as long as its client likes.
_WITHOUT_END: Final = frozenset({"flag_stream"})
# In this order; a path belongs to the first it begins with.
_PREFIXES: Final = (
    ("/ofrep/v1/stream", "flag_stream"),
    ("/ofrep/", "flags"),
    ("/v1/recommendations/", "recommendations"),
    ("/v1/users/", "users"),
    ("/v1/projects/", "settings"),
    ("/registry", "registry"),
    ("/opendsr", "opendsr"),
    ("/demo", "demo"),
    ("/healthz", "health"),
    ("/readyz", "health"),
    ("/metrics", "metrics"),
    ("/docs", "documentation"),
    ("/openapi.json", "documentation"),
)
_BATCHES: Final = frozenset({"/v1/batch", "/v1/b", "/v1/import"})
_CLOUDEVENTS: Final = "/v1/cloudevents"


class RequestTally:
    """Counts the requests of a process by endpoint, method and class of status."""

    def __init__(self, event_paths: Iterable[str]) -> None:
        self._endpoints = {
            path: "batch"
            if path in _BATCHES
            else "cloudevents"
            if path == _CLOUDEVENTS
            else "events"
            for path in event_paths
        }
        self._counts: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._seconds: dict[str, Distribution] = {}
        self.in_progress = 0

    def endpoint(self, path: str) -> str:
        """Return which of the few endpoints a path belongs to."""
        known = self._endpoints.get(path)
        if known is not None:
            return known
        return next((name for prefix, name in _PREFIXES if path.startswith(prefix)), _OTHER)

    def note(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered; with the status 0, one whose client had gone."""
        self._counts[endpoint, method if method in _METHODS else _OTHER, status // 100] += 1
        if endpoint in _WITHOUT_END:
            return
        distribution = self._seconds.get(endpoint)
        if distribution is None:
            distribution = self._seconds[endpoint] = Distribution(SECONDS)
        distribution.note(seconds)

    def metrics(self) -> list[Metric]:
        """Return the metrics."""
        return [
            Metric(
                "feedback_http_requests",
                "Requests that were answered; status none: the client had gone.",
                self._by_labels,
                ("endpoint", "method", "status"),
            ),
            Metric(
                "feedback_http_request_duration_seconds",
                "From the head of a request to the end of its answer.",
                lambda: {(name,): each for name, each in self._seconds.items()},
                ("endpoint",),
                SECONDS,
            ),
            gauge(
                "feedback_http_requests_in_progress",
                "Requests that are being answered.",
                lambda: self.in_progress,
            ),
        ]

    def _by_labels(self) -> dict[tuple[str, ...], float]:
        return {
            (endpoint, method, f"{kind}xx" if kind else "none"): count
            for (endpoint, method, kind), count in self._counts.items()
        }
