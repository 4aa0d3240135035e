"""A person's mistake is one line on stderr that says what to do, and exit code 1."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from feedback_platform.cli.main import cli
from feedback_platform.serving.server import bound_socket
from feedback_platform_tests.cli.conftest import Finished, Run
from feedback_platform_tests.services.processes import free_port as another_port


def the_line(finished: Finished) -> str:
    assert finished.code == 1
    assert finished.output == ""
    (line,) = finished.errors.splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.mark.parametrize("kind", ["movielens", "open-bandit", "events"])
def test_importing_what_is_not_there(run: Run, kind: str) -> None:
    line = the_line(run("import", kind, "nowhere", "--data-dir", "data"))

    assert "nowhere" in line
    assert "Check the path" in line
    assert not Path("data", "lake", "raw").exists()


def test_importing_a_malformed_movielens_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n1,31,good,1260759144\n"
    )
    (tmp_path / "films" / "tags.csv").write_text(
        "userId,movieId,tag,timestamp\n1,31,slow,1260759144\n"
    )
    (tmp_path / "films" / "movies.csv").write_text("movieId,title,genres\n31,Heat,Drama\n")

    line = the_line(run("import", "movielens", "films"))

    assert "ratings.csv" in line
    assert "good" in line


def test_importing_a_file_that_is_no_event_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "events.ndjson.gz").write_bytes(b"not gzip")

    assert "events.ndjson.gz" in the_line(run("import", "events", "events.ndjson.gz"))


@pytest.mark.parametrize("url", ["ftp://host/path", "s3://", "s3:///prefix"])
def test_a_lake_that_no_store_speaks_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("FEEDBACK_LAKE_URL", url)

    line = the_line(run("simulate", "--users", "1", "--days", "1"))

    assert "FEEDBACK_LAKE_URL" in line
    assert url in line


def test_a_data_directory_that_is_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    assert "a directory, not a file" in the_line(run("doctor"))


def test_a_data_directory_that_may_not_be_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "file" in the_line(run("import", "events", "x", "--data-dir", "file/data"))


def test_training_before_anything_is_published(run: Run) -> None:
    line = the_line(run("train"))

    assert "Nothing is published" in line
    assert "feedback-platform process" in line


def test_a_taste_that_shifts_after_the_last_day(run: Run) -> None:
    line = the_line(run("simulate", "--users", "5", "--days", "2", "--taste-shift-day", "9"))

    assert "taste_shift_day is 9" in line


def test_another_demo_in_the_same_lake(run: Run, tmp_path: Path) -> None:
    held = '{"users": 5, "days": 2, "seed": 1, "first_day": "2026-01-05"}'
    (tmp_path / "data" / "lake" / "raw" / "imports").mkdir(parents=True)
    (tmp_path / "data" / "lake" / "raw" / "imports" / "demo.json").write_text(held)

    line = the_line(run("demo", "--users", "6"))

    assert "holds the demo of 5 users over 2 days with seed 1" in line


@pytest.mark.parametrize("variable", ["FEEDBACK_FLAGS", "FEEDBACK_EXPERIMENTS"])
def test_a_file_that_the_servers_would_miss_later(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "missing.toml")

    assert "missing.toml cannot be read" in the_line(run("dev", "--no-demo-data"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("option", ["--port", "--api-port", "--dashboard-port"])
def test_a_port_that_is_taken(run: Run, free_port: int, host: str, option: str) -> None:
    with bound_socket(host, 0) as taken:
        taken.listen()
        ports = {"--port": free_port, "--api-port": another_port(), "--dashboard-port": 1}
        ports[option] = taken.getsockname()[1]
        options = [f"{name}={port}" for name, port in ports.items()]

        line = the_line(run("dev", "--host", host, *options, "--no-demo-data"))

    assert "Address already in use" in line
    assert f"choose another: {option}." in line


@pytest.mark.parametrize(
    "arguments", [("nosuch",), ("simulate", "--users", "0"), ("process", "--nosuch")]
)
def test_a_command_that_does_not_exist_like_this_is_explained_as_by_any_tool(
    run: Run, arguments: tuple[str, ...]
) -> None:
    finished = run(*arguments)

    assert finished.code == 2
    assert finished.output == ""
    assert finished.errors.startswith("Usage: feedback-platform")
    assert finished.errors.splitlines()[-1].startswith("Error: ")


def test_a_full_disk_is_one_line_whatever_meets_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command
    def written() -> None:
        Path("/dev/full").write_bytes(b"x")

    monkeypatch.setattr(cli, "get_command", lambda *_: written)

    assert "The disk is full." in the_line(run("process"))


def test_an_error_of_ours_is_told_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command
    def mistaken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "get_command", lambda *_: mistaken)

    with pytest.raises(ZeroDivisionError):
        run("process")
