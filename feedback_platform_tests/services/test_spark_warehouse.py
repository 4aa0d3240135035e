"""`process` with Spark as the warehouse, as it is typed: told to end in between, and to the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import psutil
import pytest

from feedback_platform.spark_session import end_spark, spark_session
from feedback_platform_tests.services.local_spark import SMALL, local_spark
from feedback_platform_tests.services.same_tables import assert_same, rows_of
from feedback_platform_tests.waiting import until

COMMAND: Final = (sys.executable, "-m", "feedback_platform")
# What is landed beside models: four tables of the clean layer, and four that Python loads.
STAGED: Final = 8
# All of them end sooner where nothing else runs, by far.
PATIENCE: Final = 1200.0
GONE_WITHIN: Final = 30.0


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("landed")
    simulate = [*COMMAND, "simulate", "--users", "25", "--days", "4", "--data-dir", str(directory)]
    subprocess.run(simulate, check=True, stdout=subprocess.DEVNULL)
    return directory


@pytest.fixture(scope="module")
def spark_environment(service_dir: Path) -> dict[str, str]:
    return local_spark(service_dir / "spark warehouse", **SMALL) | {"FEEDBACK_WAREHOUSE": "spark"}


@contextmanager
def processing(
    directory: Path, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [*COMMAND, "process", "--data-dir", str(directory)],
            env=os.environ | environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as run,
    ):
        try:
            yield run
        finally:
            run.kill()


def wait_for_models(run: subprocess.Popen[bytes], scratch: Path, models: int) -> None:
    """Return when Spark has written so many models, or the run has ended."""

    def is_so() -> bool:
        return (
            run.poll() is not None
            or len(list(scratch.glob("tables/*/*/_SUCCESS"))) >= STAGED + models
        )

    until(is_so, seconds=PATIENCE)


def processed(directory: Path, environment: Mapping[str, str]) -> Path:
    log = directory / "log"
    with processing(directory, environment, log) as run:
        code = run.wait(PATIENCE)
    assert code == 0, log.read_text()[-3000:]
    return directory / "published" / "feedback.duckdb"


def test_what_is_told_to_end_ends_with_java_and_the_next_run_builds_what_duckdb_builds(
    landed: Path, spark_environment: dict[str, str], tmp_path: Path
) -> None:
    directory = tmp_path / "spark"
    shutil.copytree(landed, directory)
    scratch = directory / "cache" / "spark"
    for number, models in ((signal.SIGTERM, 2), (signal.SIGINT, 4)):
        log = tmp_path / f"log of {number.name}"
        with processing(directory, spark_environment, log) as run:
            wait_for_models(run, scratch, models)
            children = psutil.Process(run.pid).children(recursive=True)
            assert any(child.name() == "java" for child in children), log.read_text()[-3000:]
            run.send_signal(number)
            assert run.wait(GONE_WITHIN) == 130
        psutil.wait_procs(children, timeout=5)
        assert [child for child in children if child.is_running()] == []
        assert "Interrupted; what was finished is kept." in log.read_text()
        assert not scratch.exists()
        assert not (directory / "published").exists()

    by_spark = processed(directory, spark_environment)
    shutil.copytree(directory / "lake", tmp_path / "duckdb" / "lake")
    by_duckdb = processed(tmp_path / "duckdb", {})

    with duckdb.connect(by_duckdb, read_only=True) as connection:
        published = connection.sql(
            'select "table", rows from published.tables order by 1'
        ).fetchall()
    assert len([name for name, rows in published if rows]) > 15
    for name, _ in published:
        if name != "metrics.layer_freshness":  # says when it was asked
            assert_same(rows_of(by_spark, name), rows_of(by_duckdb, name), name)


def test_after_spark_was_ended_the_next_session_starts_anew_and_ctrl_c_stays_whose_it_was(
    service_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_spark(service_dir / "ended spark", **SMALL).items():
        monkeypatch.setenv(name, value)
    before = signal.getsignal(signal.SIGINT)

    first = spark_session()
    end_spark()
    end_spark()
    second = spark_session()

    assert second is not first
    assert second.range(3).count() == 3
    assert signal.getsignal(signal.SIGINT) is before
    second.stop()
