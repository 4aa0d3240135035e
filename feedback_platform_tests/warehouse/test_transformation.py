from __future__ import annotations

import _thread
from random import Random

import pytest

from feedback_platform.errors import TransformationError
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.publishing import TABLES
from feedback_platform.warehouse.transformation import DbtProject, NodeResult
from feedback_platform_tests.warehouse.random_events import random_hour, random_object
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

pytestmark = pytest.mark.usefixtures("rendered_by_dbt")

ORDER = (
    "incoming",
    "devices",
    "arriving",
    "changes",
    "interactions",
    "activity",
    "item_days",
    "attribute_updates",
    "user_preferences",
    "sessions",
    "users",
    "items",
    "user_keys",
    "item_keys",
    "user_feedback",
    "feedback_scores",
    "item_opinions",
)


def model_names(project: DbtProject) -> set[str]:
    nodes = project.manifest["nodes"].values()
    return {node["name"] for node in nodes if node["resource_type"] == "model"}


def _land_at_random(platform: SmallPlatform, random: Random, name: str) -> None:
    hour = random_hour(random)
    lines = [line for _ in range(3) for line in random_object(random, hour)]
    platform.land(*lines, received_at=hour, object_id=name)


def test_every_table_but_what_python_loads_is_a_model_or_a_seed(project: DbtProject) -> None:
    loaded = {
        "drift_events",
        "feature_drift",
        "alerts",
        "adjustments",
        "experiments",
        "experiment_results",
        "experiment_looks",
        "layer_freshness",
        "loop_health_daily",
        "signal_quality",
    }
    wanted = {table.name for table in TABLES if table.schema != "ml"} - loaded

    assert wanted - {"signal_weights", "score_rules", "burst_limits"} <= model_names(project)


@pytest.mark.parametrize(
    "deaths",
    [
        pytest.param((5,), id="once"),
        pytest.param((2, 4, 5, 15), marks=pytest.mark.slow, id="time and again"),
    ],
)
def test_a_run_that_died_between_models_is_simply_run_again(
    platform: SmallPlatform, deaths: tuple[int, ...]
) -> None:
    random = Random(7)
    _land_at_random(platform, random, "0")
    platform.process()
    for number, models_run in enumerate(deaths, start=1):
        _land_at_random(platform, random, f"{number}")
        platform.clean()
        platform.stage()
        platform.run(ORDER[:models_run])  # and dies here
        if models_run == 5:
            _land_at_random(platform, random, f"{number}b")
            platform.clean()
        platform.transform()
        platform.publish()

    assert platform.tables() == platform.rebuilt().stored()


def test_a_first_run_that_died_is_simply_run_again(platform: SmallPlatform) -> None:
    random = Random(8)
    _land_at_random(platform, random, "0")
    platform.clean()
    platform.stage()
    platform.run(ORDER[:14])
    platform.process()

    assert platform.tables() == platform.rebuilt().stored()


def test_a_publication_that_died_is_simply_published_again(
    platform: SmallPlatform,
) -> None:
    random = Random(9)
    for number in range(3):
        _land_at_random(platform, random, f"{number}")
        platform.process()
        if number == 1:
            # It dies between showing the new state and recording that it did.
            with open_warehouse(platform.warehouse) as connection:
                connection.execute("update pipeline.state set published_through = 1")

    assert platform.tables() == platform.rebuilt().stored()


def test_running_again_changes_no_row(platform: SmallPlatform) -> None:
    _land_at_random(platform, Random(3), "0")
    first = platform.process()
    tables = platform.tables()

    again = platform.process()

    assert platform.tables() == tables
    assert again.rows == first.rows
    assert again.rows["interaction.interactions"] > 0


def test_a_failing_model_is_named_with_what_the_database_said(platform: SmallPlatform) -> None:
    platform.stage()
    with open_warehouse(platform.warehouse) as connection:
        connection.execute("alter table lake.clean_events drop column signal")

    with pytest.raises(TransformationError, match=r"dbt model incoming failed: .*signal"):
        platform.run()


def test_an_interrupt_is_no_failure_of_dbt(platform: SmallPlatform) -> None:
    platform.stage()
    platform.project.warehouse_path = platform.warehouse
    ended: list[str] = []

    def interrupt(result: NodeResult) -> None:
        if not ended:
            _thread.interrupt_main()
        ended.append(result.name)

    with pytest.raises(KeyboardInterrupt):
        platform.project.run(on_result=interrupt)

    assert len(ended) < len(model_names(platform.project))


def test_a_failing_data_test_is_a_result_and_no_error(platform: SmallPlatform) -> None:
    platform.land(event("e1", "item_liked", item_id="i1"), object_id="1")
    platform.process()
    with open_warehouse(platform.warehouse) as connection:
        connection.execute("update feedback.feedback_scores set resolution = 'a whim'")
    seen: list[NodeResult] = []

    results = platform.project.test(["feedback_scores"], on_result=seen.append)

    bad = [result for result in results if not result.is_good]
    assert [(result.kind, result.status, result.failures) for result in bad] == [
        ("test", "fail", 1)
    ]
    assert "resolution" in bad[0].name
    assert {result.name for result in seen} >= {result.name for result in results}
