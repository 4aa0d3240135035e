from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedback_platform.cli import main


@dataclass(frozen=True)
class Finished:
    """What a command left behind for a shell to see."""

    code: int
    output: str
    errors: str


Run = Callable[..., Finished]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in this process, as a shell would; its data lies in a directory of its own."""
    for name in ("FEEDBACK_LAKE_URL", "FEEDBACK_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["feedback-platform", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        assert isinstance(code, int)
        return Finished(code, captured.out, captured.err)

    return run
