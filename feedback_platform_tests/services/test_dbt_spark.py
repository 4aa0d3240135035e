"""dbt builds on Spark what it builds on DuckDB: every table of every layer, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation
from feedback_platform.spark_session import spark_session
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.engines.building import build_on
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.services.bad_objects import write_bad_objects
from feedback_platform_tests.services.local_spark import SMALL, local_spark
from feedback_platform_tests.services.same_tables import assert_same, rows_of
from feedback_platform_tests.warehouse.random_events import (
    START,
    USERS,
    random_changes,
    random_object,
)
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

LATER: Final = datetime(2026, 4, 1, tzinfo=UTC)
SEGMENTS: Final = {
    ("ml", "segment_assignments"): pl.DataFrame(
        [
            {
                "model_version": version,
                "effective_from": at,
                "user_id": user,
                "segment_id": place % 3,
            }
            for version, at in (("s1", START), ("s2", START + timedelta(days=4)))
            for place, user in enumerate(USERS)
        ]
    )
}
ODDITIES: Final = [
    event(
        "odd-item",
        "item_updated",
        user_id=None,
        item_id="odd",
        properties={
            "title": 'Ünïcode "quoted" \\ title',
            "categories": ["a", 1, None, {"b": [2]}],
            "a/b~c": {"z": 1, "a": [None, 1.5, 1e3]},
            "": True,
        },
    ),
    event("no-list", "item_updated", user_id=None, item_id="plain", properties={"categories": "a"}),
    event("odd-user", "user_updated", user_id="u 'quoted'", properties={"plan": None, "n": 0.1}),
    event("odd-like", "item_liked", user_id="u 'quoted'", item_id="odd"),
]


@pytest.fixture(scope="module")
def duckdb_built(tmp_path_factory: pytest.TempPathFactory) -> SmallPlatform:
    """Simulated users, and all that may go wrong; of one object a corrected version was cleaned."""
    directory = tmp_path_factory.mktemp("on-duckdb")
    project = DbtProject(DBT_PROJECT_DIR, directory / "dbt", directory / "warehouse.duckdb")
    platform = SmallPlatform.at(directory, project)
    week = SimulationParameters(first_day=date(2026, 2, 23), users=40, days=7)
    write_simulation(platform.lake, simulate(week))
    write_bad_objects(platform.lake)
    random = Random(5)
    for number in range(40):
        received_at = LATER + timedelta(minutes=number)
        lines = random_object(random, received_at)
        platform.land(*lines, received_at=received_at, object_id=f"{number:03}")
    platform.land(*ODDITIES, received_at=LATER, object_id="odd")
    corrected = platform.land(
        event("mistaken", "item_liked", item_id="i1"), received_at=LATER, object_id="corrected"
    )
    platform.clean()
    platform.rewrite(corrected, event("right", "item_rated", item_id="i1", value=4))
    platform.reprocess(corrected)
    platform.kept = random_changes(random) | SEGMENTS
    platform.transform()
    return platform


@pytest.fixture(scope="module")
def spark_built(
    service_dir: Path, tmp_path_factory: pytest.TempPathFactory, duckdb_built: SmallPlatform
) -> Iterator[SmallPlatform]:
    directory = tmp_path_factory.mktemp("on-spark")
    platform = SmallPlatform(
        directory, duckdb_built.project, duckdb_built.lake, kept=duckdb_built.kept
    )
    platform.project.warehouse_path = platform.warehouse

    def restore() -> None:
        with open_warehouse(platform.warehouse) as connection:
            replace_tables(connection, platform.kept)

    with pytest.MonkeyPatch.context() as environment:
        for name, value in local_spark(service_dir / "dbt on spark", **SMALL).items():
            environment.setenv(name, value)
        with exclusive_warehouse(platform.warehouse) as path:
            build_on(
                "spark",
                path,
                Lake(platform.lake.url),
                directory / "scratch",
                engine_project=DbtProject(DBT_PROJECT_DIR, directory / "dbt", path, "spark"),
                project=platform.project,
                restore=restore,
            )
        yield platform
        spark_session().stop()


def built(project: DbtProject, schema: str) -> list[str]:
    return sorted(
        f"{schema}.{node['name']}"
        for node in project.manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"} and node["schema"] == schema
    )


@pytest.mark.parametrize("layer", ["interaction", "feedback", "features", "metrics"])
def test_every_table_of_a_layer_is_the_same_row_for_row(
    spark_built: SmallPlatform, duckdb_built: SmallPlatform, layer: str
) -> None:
    tables = built(duckdb_built.project, layer)
    empty = []
    for table in tables:
        expected = rows_of(duckdb_built.warehouse, table)
        assert_same(rows_of(spark_built.warehouse, table), expected, table)
        if not expected:
            empty.append(table)

    assert tables
    assert empty == []


def test_the_layers_as_of_a_time_are_the_same(
    spark_built: SmallPlatform, duckdb_built: SmallPlatform
) -> None:
    when = (START + timedelta(days=3)).strftime("timestamp '%Y-%m-%d %H:%M:%S'")
    for function in ("interaction.interactions", "feedback.feedback_scores"):
        relation = f"{function}_as_of({when})"
        expected = rows_of(duckdb_built.warehouse, relation)
        assert expected
        assert_same(rows_of(spark_built.warehouse, relation), expected, relation)


def test_what_spark_built_is_published_as_ever(
    spark_built: SmallPlatform, duckdb_built: SmallPlatform
) -> None:
    assert spark_built.publish().rows == duckdb_built.publish().rows


def test_no_table_of_spark_is_in_the_way_of_the_next_run(
    spark_built: SmallPlatform, service_dir: Path
) -> None:
    assert list((service_dir / "dbt on spark").rglob("*.parquet")) == []
    assert not (spark_built.directory / "scratch").exists()
