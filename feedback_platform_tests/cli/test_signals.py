from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from feedback_platform.monitoring.signal_quality import QUALITY_SCHEMA
from feedback_platform.monitoring.signal_weights import WEIGHTS_SCHEMA
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.score_settings import check_weights
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed, the_error

SEED = DBT_PROJECT_DIR / "seeds" / "signal_weights.csv"
AT = datetime(2026, 4, 1, tzinfo=UTC)
CLICK = {
    "signal": "click",
    "target": "retention",
    "horizon_days": 7,
    "users": 1234,
    "correlation": 0.05,
    "low": 0.01,
    "high": 0.09,
    "p_value": 0.01,
    "partial_correlation": 0.02,
    "partial_low": -0.02,
    "partial_high": 0.06,
    "partial_p_value": 0.33,
    "as_of": AT,
}


def publish(
    quality: list[dict[str, object]], weights: list[tuple[str, float, float]] | None = None
) -> None:
    """Put what was measured where the command reads it."""
    path = Path("data") / "published" / "feedback.duckdb"
    path.parent.mkdir(parents=True)
    proposed = pl.DataFrame(
        [(*row, 0.1, 0.9, "Much was seen.", AT) for row in weights or []],
        schema=WEIGHTS_SCHEMA,
        orient="row",
    )
    with duckdb.connect(path) as connection:
        connection.execute("create schema metrics")
        for name, frame in (
            ("signal_quality", pl.DataFrame(quality, schema=QUALITY_SCHEMA)),
            ("signal_weights", proposed),
        ):
            connection.from_arrow(frame.to_arrow()).create(f"metrics.{name}")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_list_shows_both_correlations_the_strongest_first(run: Run) -> None:
    like = CLICK | {"signal": "like", "partial_correlation": -0.3, "partial_p_value": 0.001}
    publish([CLICK, like])

    finished = run("signals", "list")

    assert (finished.code, finished.errors) == (0, "")
    assert [" ".join(line.split()) for line in finished.output.splitlines()] == [
        "retention, 7 days ahead",
        "users correlation beside visits p",
        "like 1,234 +0.050 (+0.010 to +0.090) -0.300 (-0.020 to +0.060) 0.001",
        "click 1,234 +0.050 (+0.010 to +0.090) +0.020 (-0.020 to +0.060) 0.33",
    ]
    first, second = parsed(run("signals", "list", "--json"))
    assert (first["signal"], second["partial_low"]) == ("like", -0.02)


def test_before_anything_was_measured_it_says_what_to_do(run: Run) -> None:
    publish([])

    for command in ("list", "propose"):
        assert "feedback-platform train" in run("signals", command).output
        assert parsed(run("signals", command, "--json")) == []
    assert "Nothing was measured yet" in the_error(run("signals", "propose", "--write", "x.csv"))


def test_a_proposal_is_written_beside_the_weights_in_force_which_stay(run: Run) -> None:
    in_force = SEED.read_text()
    publish([CLICK], [("click", 0.25, 0.41234), ("rating", 0.9, 0.8)])

    finished = run("signals", "propose", "--write", "mine.csv")

    assert "click: 0.250 → 0.412 (0.100 to 0.900)" in finished.output
    assert f"put it in the place of {SEED}" in finished.output
    assert SEED.read_text() == in_force
    check_weights(Path("mine.csv"))
    expected = [
        row | {"confidence": {"click": "0.412", "rating": "0.8"}.get(row["signal"], before)}
        for row in rows_of(SEED)
        for before in [row["confidence"]]
    ]
    assert rows_of(Path("mine.csv")) == expected


def test_a_file_that_is_there_is_not_written_over(run: Run) -> None:
    publish([CLICK], [("click", 0.25, 0.4)])
    Path("mine.csv").write_text("mine")

    assert "mine.csv is there already" in the_error(
        run("signals", "propose", "--write", "mine.csv")
    )
    assert Path("mine.csv").read_text() == "mine"
    gone = the_error(run("signals", "propose", "--write", "nowhere/mine.csv"))
    assert "nowhere/mine.csv cannot be written: No such file or directory." in gone


def test_a_proposal_for_other_weights_than_those_in_force_is_refused(run: Run) -> None:
    publish([CLICK], [("click", 0.3, 0.4)])

    error = the_error(run("signals", "propose", "--write", "mine.csv"))

    assert "The weight of click is 0.25 by now, and was 0.3" in error
    assert not Path("mine.csv").exists()


def test_without_a_publication_it_says_so(run: Run) -> None:
    assert "Nothing is published" in the_error(run("signals", "list"))


@pytest.mark.parametrize("command", ["list", "propose"])
def test_what_an_earlier_release_published_counts_as_not_measured(run: Run, command: str) -> None:
    path = Path("data") / "published" / "feedback.duckdb"
    path.parent.mkdir(parents=True)
    duckdb.connect(path).close()

    assert parsed(run("signals", command, "--json")) == []
