"""What a scrape says, read by Prometheus's own parser."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from feedback_platform_tests.serving.running import RunningServer


def samples_of(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


class Scrape:
    """One answer of /metrics."""

    def __init__(self, server: RunningServer, headers: Mapping[str, str] | None = None) -> None:
        answer = server.ask("GET", "/metrics", headers=headers)
        assert answer.status == 200, answer
        self.text = answer.body
        self.samples = samples_of(answer.body)

    def of(self, name: str, **labels: str) -> float:
        """The value with just these labels; 0 when there is none."""
        return self.samples.get((name, frozenset(labels.items())), 0)

    def labels(self, name: str, label: str) -> set[str]:
        return {dict(labels)[label] for each, labels in self.samples if each == name}
