"""The long form of the journey: fifty kills at random instants."""

from __future__ import annotations

from pathlib import Path

from feedback_platform_tests.journeys.test_collector_kills import survive


def test_fifty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path, free_port: int) -> None:
    survive(50, tmp_path, free_port, workers=1)
