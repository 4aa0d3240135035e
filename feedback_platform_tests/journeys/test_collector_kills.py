"""Kills at random instants: what was acknowledged is stored, exactly as it was sent."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake.store import Lake
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.serving.running import stored_lines
from feedback_platform_tests.serving.serving_process import Senders, serving_process
from feedback_platform_tests.waiting import until

# Whoever wants more of them says so.
KILLS = int(os.environ.get("FEEDBACK_TEST_COLLECTOR_KILLS", "5"))


def messages_by_id(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The stored messages; what is stored twice is the same both times."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        message = line["message"]
        assert found.setdefault(message["messageId"], message) == message
    return found


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_no_kill_loses_what_was_acknowledged(tmp_path: Path, free_port: int, workers: int) -> None:
    survive(KILLS, tmp_path, free_port, workers)


def survive(kills: int, tmp_path: Path, port: int, workers: int) -> None:
    """Kill a server under load at random instants, then look for what it had acknowledged."""
    chance = random.Random(workers)
    with serving_process(tmp_path / "data", port, workers=workers) as serving:
        with Senders(port) as senders:
            for _ in range(kills):
                time.sleep(chance.uniform(0.05, 0.6))
                serving.signal(signal.SIGKILL)
                serving.start()
            # However slow the machine, there is something to lose before the last look.
            until(lambda: len(senders.acknowledged) > 20 * kills)
        serving.signal(signal.SIGTERM)
    stored = messages_by_id(stored_lines(serving.settings))
    assert len(senders.acknowledged) > 20 * kills
    assert set(senders.statuses) <= {200, 503}
    assert {key: stored.get(key) for key in senders.acknowledged} == senders.acknowledged
    lake = Lake(serving.settings.lake_url)
    outcome = clean_new(lake, default_rules(), is_sweep=True)
    assert (outcome.clean, outcome.quarantined) == (len(stored), 0)


@pytest.mark.slow
def test_a_message_sent_again_after_a_kill_counts_once(tmp_path: Path, free_port: int) -> None:
    """A sender that got no answer sends the same message again, as the libraries do."""
    with serving_process(tmp_path / "data", free_port) as serving:
        with Senders(free_port, threads=2) as senders:
            time.sleep(0.3)
            serving.signal(signal.SIGKILL)
            serving.start()
            time.sleep(0.2)
        again = list(senders.acknowledged.values())[:200]
        assert serving.client.post("/v1/batch", {"batch": again}).status == 200
        serving.signal(signal.SIGTERM)
    counts = Counter(line["message"]["messageId"] for line in stored_lines(serving.settings))
    assert {counts[message["messageId"]] for message in again} == {2}
    stored = messages_by_id(stored_lines(serving.settings))
    assert stored.keys() >= senders.acknowledged.keys()
    installation = Installation(serving.settings.data_dir)
    installation.process()
    interactions = installation.query("select event_id from interaction.interactions")
    assert sorted(interactions["event_id"]) == sorted(stored)
