from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from alembic.script import ScriptDirectory
from dagster._core.storage.runs.sqlite import sqlite_run_storage as storage
from sqlalchemy.pool import NullPool

from feedback_platform.orchestration.shortcuts import keep_connections, take_shortcuts


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    take_shortcuts(monkeypatch.setattr)
    return monkeypatch


@pytest.mark.usefixtures("taken")
def test_a_file_has_one_engine(tmp_path: Path) -> None:
    create, url = vars(storage)["create_engine"], f"sqlite:///{tmp_path / 'runs.db'}"

    assert create(url, poolclass=NullPool) is create(url, poolclass=NullPool)
    assert create(url, poolclass=NullPool) is not create(f"{url}-2", poolclass=NullPool)


@pytest.mark.usefixtures("taken")
def test_engines_of_files_of_long_ago_are_let_go(tmp_path: Path) -> None:
    create = vars(storage)["create_engine"]
    urls = [f"sqlite:///{tmp_path / str(number)}" for number in range(200)]
    first = create(urls[0], poolclass=NullPool)
    for url in urls:
        create(url, poolclass=NullPool)

    assert create(urls[0], poolclass=NullPool) is not first


def test_they_are_taken_once(taken: pytest.MonkeyPatch) -> None:
    before = vars(storage)["create_engine"], ScriptDirectory.from_config

    take_shortcuts(taken.setattr)

    assert (vars(storage)["create_engine"], ScriptDirectory.from_config) == before


@pytest.mark.usefixtures("taken")
def test_an_instance_that_is_opened_again_finds_what_the_first_recorded(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as one:
        run = one.create_run_for_job(_nothing)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as other:
        assert other.get_run_by_id(run.run_id) is not None


def test_kept_connections_record_what_others_see_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_connections(monkeypatch.setattr)
    with dg.DagsterInstance.local_temp(str(tmp_path)) as one:
        result = _nothing.execute_in_process(instance=one)
        monkeypatch.undo()
        with dg.DagsterInstance.local_temp(str(tmp_path)) as other:
            run = other.get_run_by_id(result.run_id)
            seen = [entry.dagster_event_type for entry in other.all_logs(result.run_id)]

    assert run is not None
    assert run.is_success
    assert seen[-1] == dg.DagsterEventType.RUN_SUCCESS


@dg.job
def _nothing() -> None:
    return
