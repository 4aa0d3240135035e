"""What most tests' platforms are sent is what dbt would have sent them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from feedback_platform.errors import TransformationError
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.transformation import DbtProject, NodeResult
from feedback_platform_tests import dbt_statements
from feedback_platform_tests.dbt_statements import (
    RenderedNode,
    run_by_dbt,
    statements_sent_again,
)
from feedback_platform_tests.warehouse.definitions import definitions
from feedback_platform_tests.warehouse.random_events import random_hour, random_object
from feedback_platform_tests.warehouse.small_platform import Row, SmallPlatform, event


def arrive(platform: SmallPlatform, seed: int) -> None:
    """Bring a first batch of random events into the tables, and an increment."""
    random = Random(seed)
    for number in range(2):
        hour = random_hour(random)
        lines = [line for _ in range(5) for line in random_object(random, hour)]
        platform.land(*lines, received_at=hour, object_id=str(number))
        platform.clean()
        platform.transform()


def everything(platform: SmallPlatform) -> dict[str, list[Row]]:
    """All definitions and all rows, but for the state, which names the lake."""
    with open_warehouse(platform.warehouse) as connection:
        found = {"defined": definitions(connection)}
        for kind, schema, table, _ in found["defined"]:
            name = f"{schema}.{table}"
            if kind == "table" and name != "pipeline.state":
                found[name] = connection.table(name).order("all").fetchall()
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For which platforms dbt had to run."""
    names: list[str] = []

    def noted(project: DbtProject, *given: Any, **named: Any) -> list[NodeResult]:
        names.append(project.warehouse_path.parent.parent.name)
        return run_by_dbt(project, *given, **named)

    monkeypatch.setattr(dbt_statements, "run_by_dbt", noted)
    return names


def platform_at(directory: Path, project: DbtProject) -> SmallPlatform:
    """A platform whose project has kept no increment yet."""
    target = directory / "target"
    own = DbtProject(project.project_dir, target, directory / "warehouse.duckdb")
    return SmallPlatform.at(directory, own)


def test_statements_that_are_sent_again_make_what_dbt_makes_of_the_same_events(
    project: DbtProject, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again, rendered = (
        platform_at(tmp_path / name, project) for name in ("first", "again", "rendered")
    )
    with statements_sent_again():
        arrive(first, seed=1)
        arrive(again, seed=2)
    monkeypatch.setattr(DbtProject, "run", run_by_dbt)
    arrive(rendered, seed=2)

    assert asked == ["first", "first"]
    assert everything(again) == everything(rendered)
    assert everything(again) != everything(first)
    assert {kind for kind, *_ in everything(again)["defined"]} >= {"table", "macro", "trigger"}


def test_where_a_statement_fails_dbt_says_what_is_wrong(
    project: DbtProject, tmp_path: Path, asked: list[str]
) -> None:
    first, second = (platform_at(tmp_path / name, project) for name in ("first", "second"))
    with statements_sent_again():
        for platform in (first, second):
            platform.land(event("e1", "item_liked", item_id="i1"), object_id="1")
            platform.clean()
            platform.stage()
        first.run()
        with open_warehouse(second.warehouse) as connection:
            connection.execute("alter table lake.clean_events drop column signal")

        with pytest.raises(TransformationError, match=r"dbt model incoming failed: .*signal"):
            second.run()
    assert asked == ["first", "second"]


def test_what_dbt_can_do_and_its_statements_cannot_is_no_shortcut(
    project: DbtProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> list[RenderedNode]:
        raise duckdb.BinderException("no such column")

    monkeypatch.setattr(dbt_statements, "_sent", fails)
    with statements_sent_again():
        for name in ("first", "second"):
            platform = platform_at(tmp_path / name, project)
            platform.stage()
            if name == "first":
                platform.run()
        with pytest.raises(AssertionError, match="sent again, could not: no such column"):
            platform.run()
