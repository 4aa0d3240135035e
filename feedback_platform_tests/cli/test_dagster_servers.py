from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from feedback_platform_tests.cli.conftest import Run


class ReplacedError(Exception):
    """Another program would have taken the place of this process."""


@pytest.fixture
def handled() -> Iterator[list[object]]:
    """What SIGINT does in this process while a test ignores it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield []
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("server", ["code", "daemon", "web", "migrate"])
def test_a_server_that_a_shell_starts_in_the_background_can_be_ended(
    run: Run, monkeypatch: pytest.MonkeyPatch, handled: list[object], server: str
) -> None:
    def execve(_program: str, _command: Sequence[str], _environment: Mapping[str, str]) -> None:
        handled.append(signal.getsignal(signal.SIGINT))
        raise ReplacedError

    monkeypatch.setattr(os, "execve", execve)

    with pytest.raises(ReplacedError):
        run("dagster", server)

    assert handled == [signal.default_int_handler]


def test_an_empty_history_has_nothing_to_purge(run: Run) -> None:
    finished = run("dagster", "purge", "--older-than", "30", "--json")

    assert finished.code == 0
    assert json.loads(finished.output)["deleted_runs"] == 0
    assert Path("data", "dagster", "dagster.yaml").exists()


@pytest.mark.parametrize("days", ["0", "-1", "soon"])
def test_runs_of_today_are_not_purged(run: Run, days: str) -> None:
    finished = run("dagster", "purge", "--older-than", days)

    assert finished.code != 0
    assert "--older-than" in finished.errors
    assert not Path("data").exists()
