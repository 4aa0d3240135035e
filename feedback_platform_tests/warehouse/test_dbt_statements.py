"""What most tests' platforms are sent is what dbt would have sent them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from feedback_platform.errors import TransformationError
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.dbt_statements import RENDERED, statements_sent_again
from feedback_platform_tests.warehouse.random_events import random_hour, random_object
from feedback_platform_tests.warehouse.small_platform import Row, SmallPlatform

# Keys are kept by triggers; what a definition says of its own place is the same everywhere.
DEFINED = """
select 'table', schema_name, table_name, sql from duckdb_tables()
union all select 'view', schema_name, view_name, sql from duckdb_views() where not internal
union all select 'macro', schema_name, function_name, macro_definition from duckdb_functions()
    where not internal
union all select 'trigger', schema_name, trigger_name, sql from duckdb_triggers()
order by all
"""


def arrive(platform: SmallPlatform, number: int) -> None:
    random = Random(number)
    hour = random_hour(random)
    lines = [line for _ in range(5) for line in random_object(random, hour)]
    platform.land(*lines, received_at=hour, object_id=str(number))
    platform.process()


def defined(platform: SmallPlatform) -> list[Row]:
    with open_warehouse(platform.warehouse) as connection:
        return connection.execute(DEFINED).fetchall()


@pytest.fixture
def own(project: DbtProject, tmp_path: Path) -> DbtProject:
    """A project that has kept no increment yet."""
    return DbtProject(project.project_dir, tmp_path / "target", tmp_path / "warehouse.duckdb")


def test_statements_that_are_sent_again_make_what_dbt_makes(
    own: DbtProject, tmp_path: Path
) -> None:
    asked: list[str] = []

    def counted(project: DbtProject, *given: object, **named: object) -> object:
        asked.append(project.warehouse_path.parent.parent.name)
        return RENDERED(project, *given, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("feedback_platform_tests.dbt_statements.RENDERED", counted)
        with statements_sent_again():
            platforms = []
            for name in ("rendered", "sent again"):
                platform = SmallPlatform.at(tmp_path / name, own)
                for number in range(2):
                    # The second is the first increment, whose statements the product would keep.
                    arrive(platform, number)
                platforms.append(platform)
                for kept in own.target_dir.glob("increment-*.json"):
                    kept.unlink()

    assert asked == ["rendered", "rendered"]
    rendered, sent_again = platforms
    assert {kind for kind, *_ in defined(rendered)} >= {"table", "macro", "trigger"}
    assert defined(sent_again) == defined(rendered)
    assert sent_again.stored() == rendered.stored()
    assert sent_again.tables() == rendered.tables()
    assert any(rendered.stored().values())


def test_where_a_statement_fails_dbt_says_what_is_wrong(own: DbtProject, tmp_path: Path) -> None:
    arrive(SmallPlatform.at(tmp_path / "first", own), 0)
    platform = SmallPlatform.at(tmp_path / "second", own)
    platform.stage()
    with open_warehouse(platform.warehouse) as connection:
        connection.execute("alter table lake.clean_events drop column signal")

    with pytest.raises(TransformationError, match=r"dbt model incoming failed: .*signal"):
        platform.run()
