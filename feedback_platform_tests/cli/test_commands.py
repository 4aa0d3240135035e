from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed

LINE = '{"event_id":"%s","event_type":"item_rated","user_id":"u%d","item_id":"i","value":4}\n'


def test_an_empty_lake_is_processed_into_empty_tables(run: Run, tmp_path: Path) -> None:
    outcome = parsed(run("process", "--json"))

    assert outcome["raw_objects"] == outcome["interactions"] == outcome["feedback"] == 0
    assert outcome["published"] == str(tmp_path / "data" / "published" / "feedback.duckdb")
    with duckdb.connect(outcome["published"], read_only=True) as connection:
        assert connection.execute("from interaction.interactions").fetchall() == []

    finished = run("train")

    assert finished.code == 1
    (line,) = finished.errors.splitlines()
    assert "feedback" in line


def test_simulating_prints_what_it_wrote_and_what_comes_next(run: Run) -> None:
    arguments = ("simulate", "--users", "20", "--days", "2", "--first-day", "2026-01-05", "--json")

    first = parsed(run(*arguments))
    again = parsed(run(*arguments))

    assert first["objects"] > 0
    assert first["already_there"] == 0
    assert first["next"] == "feedback-platform process"
    assert (again["objects"], again["already_there"]) == (0, first["objects"])


@pytest.mark.slow
def test_the_demo_builds_the_whole_loop_and_each_step_may_be_run_again(run: Run) -> None:
    demo = parsed(run("demo", "--users", "100", "--days", "3", "--json"))
    assert demo["interactions"] > 0
    assert demo["lines"] == demo["interactions"] + demo["quarantined"] + demo["duplicates"]
    assert demo["recommendations"] > 0
    assert -1 <= demo["adjusted_rand_index"] <= 1

    processed = parsed(run("process", "--json"))
    assert processed["raw_objects"] == 0
    assert processed["interactions"] == demo["interactions"]
    assert processed["feedback"] == demo["feedback"]

    trained = parsed(run("train", "--json"))
    assert trained["model_version"] > demo["model_version"]
    assert trained["reason"]

    findings = {finding["check"]: finding for finding in parsed(run("doctor", "--json"))}
    assert list(findings) == [
        "settings",
        "rules",
        "disk",
        "lake",
        "published",
        "events",
        "models",
        "flags",
    ]
    assert all(finding["ok"] for finding in findings.values())
    assert f"{processed['interactions']:,} interactions" in findings["events"]["finding"]


def test_the_doctor_finds_a_lake_that_lost_rows(run: Run, tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_text(LINE % ("a", 1) + LINE % ("b", 2))
    imported = parsed(run("import", "events", "events.ndjson", "--json"))
    assert (imported["events"], imported["item_rated"]) == (2, 2)
    assert parsed(run("process", "--json"))["feedback"] == 2
    assert run("doctor").code == 0
    for clean in (tmp_path / "data" / "lake" / "clean" / "events").rglob("*.parquet"):
        clean.unlink()

    finished = run("doctor")

    assert finished.code == 1
    (bad,) = [line for line in finished.output.splitlines() if line.startswith("BAD")]
    assert "events" in bad


@pytest.mark.parametrize(
    ("variable", "value", "check", "finding"),
    [
        ("FEEDBACK_ENGIN", "spark", "settings", "FEEDBACK_ENGIN"),
        ("FEEDBACK_CLEANING_RULES", "missing.toml", "rules", "missing.toml cannot be read"),
        ("FEEDBACK_CLEANING_RULES", "rules.toml", "rules", "did you mean 'scale'"),
        ("FEEDBACK_GATE_RULES", "missing.toml", "rules", "missing.toml cannot be read"),
        ("FEEDBACK_TRIGGER_RULES", "missing.toml", "rules", "missing.toml cannot be read"),
        ("FEEDBACK_MONITORING_RULES", "missing.toml", "rules", "missing.toml cannot be read"),
        ("FEEDBACK_EVENT_MAPPING", "missing.toml", "rules", "missing.toml"),
        ("FEEDBACK_FLAGS", "missing.toml", "flags", "missing.toml cannot be read"),
        ("FEEDBACK_EXPERIMENTS", "missing.toml", "rules", "missing.toml cannot be read"),
    ],
)
def test_the_doctor_finds_what_a_program_would_refuse_to_start_with(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    check: str,
    finding: str,
) -> None:
    (tmp_path / "rules.toml").write_text('[signals.view]\nscael = "log"\n')
    monkeypatch.setenv(variable, value)

    finished = run("doctor")

    assert finished.code == 1
    (bad,) = [line for line in finished.output.splitlines() if line.startswith("BAD")]
    assert check in bad
    assert finding in bad


def test_importing_again_says_so_and_adds_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_text(LINE % ("a", 1))
    run("import", "events", "events.ndjson")
    raw = sorted((tmp_path / "data" / "lake" / "raw").rglob("*.zst"))

    finished = run("import", "events", "events.ndjson", "--json")

    assert finished.code == 0
    assert json.loads(finished.output)["already_imported"] is True
    assert "nothing was added" in finished.errors
    assert sorted((tmp_path / "data" / "lake" / "raw").rglob("*.zst")) == raw
