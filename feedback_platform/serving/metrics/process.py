"""What a process takes of the machine, under the names that all of Prometheus's clients use."""

from __future__ import annotations

import resource
from collections.abc import Callable

import psutil

from feedback_platform.serving.metrics.metric import Merge, Metric


def process_metrics() -> list[Metric]:
    """Return the metrics of the present process."""
    process = psutil.Process()

    def each(name: str, description: str, read: Callable[[], float]) -> Metric:
        return Metric(name, description, lambda: {(): read()}, merge=Merge.EACH)

    def processor_seconds() -> float:
        times = process.cpu_times()
        seconds: float = times.user + times.system
        return seconds

    return [
        each(
            "process_resident_memory_bytes",
            "Memory of the process.",
            lambda: process.memory_info().rss,
        ),
        each(
            "process_cpu_seconds_total",
            "Processor time of the process.",
            processor_seconds,
        ),
        each("process_open_fds", "Files and connections the process has open.", process.num_fds),
        each(
            "process_max_fds",
            "Files and connections the process may have open.",
            lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        ),
        each("process_start_time_seconds", "When the process started.", process.create_time),
    ]
