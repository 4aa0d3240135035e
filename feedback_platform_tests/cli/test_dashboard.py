from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from feedback_platform.cli import dashboard
from feedback_platform.serving.server import bound_socket
from feedback_platform_tests.cli.conftest import Run


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """With what the server would have been started; the services' tests start it."""
    started: list[dict[str, Any]] = []

    def note(published_path: Path, host: str, port: int, **options: Any) -> None:
        started.append({"path": published_path, "host": host, "port": port, **options})

    monkeypatch.setattr(dashboard, "run_dashboard", note)
    return started


def test_it_listens_on_this_machine_and_reads_what_is_published(
    run: Run, served: list[dict[str, Any]], free_port: int, tmp_path: Path
) -> None:
    finished = run("dashboard", "--port", str(free_port))

    assert (finished.code, finished.errors) == (0, "")
    assert f"http://127.0.0.1:{free_port}" in finished.output
    (started,) = served
    assert started["is_local"]
    assert started["path"] == tmp_path / "data" / "published" / "feedback.duckdb"


def test_whoever_opens_it_to_others_is_told_that_it_has_no_login(
    run: Run, served: list[dict[str, Any]], free_port: int
) -> None:
    finished = run("dashboard", "--host", "::", "--port", str(free_port), "--quiet")

    assert finished.code == 0
    assert "has no login" in finished.errors
    assert finished.output == ""
    assert not served[0]["is_local"]


def test_a_port_that_is_taken_is_a_clear_error(run: Run, served: list[dict[str, Any]]) -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        taken.listen()
        finished = run("dashboard", "--port", str(taken.getsockname()[1]))

    assert finished.code == 1
    assert "choose another: --port" in finished.errors
    assert served == []
