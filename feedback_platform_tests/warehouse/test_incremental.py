"""Incremental state equals a rebuild, row for row, whatever the order and the cut of batches."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import duckdb
import pytest

from feedback_platform.lake.keys import hour_of
from feedback_platform.warehouse import layered
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.seeds import seeds
from feedback_platform_tests.warehouse.random_events import (
    random_changes,
    random_hour,
    random_object,
)
from feedback_platform_tests.warehouse.small_platform import RECEIVED, Row, SmallPlatform, event


def _land_at_random(platform: SmallPlatform, random: Random) -> list[str]:
    landed = []
    for number in range(random.randint(6, 8)):
        hour = random_hour(random)
        lines = random_object(random, hour)
        landed.append(platform.land(*lines, received_at=hour, object_id=f"{number}"))
    random.shuffle(landed)
    return landed


# These notice when the keys of a replaced delivery are forgotten.
@pytest.mark.parametrize("seed", seeds(2, 5, 7))
def test_increments_in_any_order_and_cut_equal_a_rebuild(
    platform: SmallPlatform, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # As if the tables were large: what readers see is a base and layers.
    monkeypatch.setattr(layered, "SMALL_ROWS", 0)
    monkeypatch.setattr(layered, "SHARE_OF_BASE", 0.2)
    random = Random(seed)
    landed = _land_at_random(platform, random)
    platform.kept = random_changes(Random(seed))
    while landed:
        size = random.randint(2, 4)
        batch, landed = landed[:size], landed[size:]
        platform.clean(batch)
        if random.random() < 0.25 and landed:
            continue  # two batches at once, in one run or in two
        platform.transform(rows=random.choice([0, 100]))
        if random.random() < 0.6 or not landed:
            platform.publish()

    rebuilt = platform.rebuilt().stored()
    incremental = platform.tables()
    for table, rows in rebuilt.items():
        assert incremental[table] == rows, table


# What only the pipeline reads, and builds the rest from.
INTERNAL = (
    "interaction.activity",
    "interaction.item_days",
    "interaction.attribute_updates",
    "feedback.item_opinions",
    "metrics.user_days",
    "metrics.user_histories",
    "pipeline.opinion_changes",
)
MODELS = (
    "devices",
    "changes",
    "interactions",
    "activity",
    "item_days",
    "user_preferences",
    "user_feedback",
    "feedback_scores",
    "item_opinions",
    "user_features",
    "item_features",
    "user_days",
    "user_histories",
    "engagement_by_model_daily",
    "engagement_by_variant_daily",
    "conversion_daily",
    "retention_weekly",
    "before_after",
)


def _internal_tables(platform: SmallPlatform) -> dict[str, list[Row]]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return {
            table: sorted(connection.execute(f"from {table}").fetchall(), key=repr)
            for table in INTERNAL
        }


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(2))
def test_runs_that_die_anywhere_and_objects_that_change_their_mind_equal_a_rebuild(
    platform: SmallPlatform, seed: int
) -> None:
    random = Random(seed)
    platform.kept = random_changes(Random(seed))
    platform.process()  # of nothing
    landed = _land_at_random(platform, random)
    cleaned: list[str] = []
    while landed:
        size = random.randint(2, 4)
        batch, landed = landed[:size], landed[size:]
        platform.clean(batch)
        cleaned += batch
        for _ in range(random.choice([1, 2])):
            platform.stage(rows=random.choice([0, 100]))
            platform.run([f"+{model}" for model in random.sample(MODELS, 2)])
            if random.random() < 0.4:
                changed = random.choice(cleaned)
                platform.rewrite(changed, *random_object(random, hour_of(changed)))
                platform.reprocess(changed)
        platform.transform(rows=random.choice([0, 100]))
        if random.random() < 0.5 or not landed:
            platform.publish()

    rebuilt = platform.rebuilt()
    assert _internal_tables(platform) == _internal_tables(rebuilt)
    incremental = platform.tables()
    for table, rows in rebuilt.stored().items():
        assert incremental[table] == rows, table


# In short: where runs die, here and in test_transformation.py, models run twice.
@pytest.mark.slow
def test_a_model_that_is_run_again_by_itself_changes_nothing(platform: SmallPlatform) -> None:
    random = Random(1)
    landed = _land_at_random(platform, random)
    platform.kept = random_changes(Random(1))
    platform.clean(landed[:3])
    platform.transform()
    platform.clean(landed[3:])
    platform.transform()
    platform.publish()
    before, internal = platform.tables(), _internal_tables(platform)

    # They forget rows by what arrived, by what changed, and by both before and after.
    for model in ("arriving", "changes", *MODELS[2:], "interactions"):
        platform.run([model])
    platform.publish()

    assert _internal_tables(platform) == internal
    assert platform.tables() == before


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    """One event was another before, and one item had other categories."""
    platform = SmallPlatform.at(tmp_path_factory.mktemp("corrected"), project)
    affinity = "select category_affinity from features.user_features where user_id = 'viewer'"
    film = {"user_id": None, "item_id": "film"}
    told_first = event("e", "item_liked", user_id="u1", item_id="i1", session_id="s1")
    received_first = event(
        "e",
        "item_rated",
        value=5,
        user_id="u2",
        item_id="i2",
        session_id="s2",
        occurred_at="2026-01-31T12:00:00Z",
    )
    platform.land(
        told_first,
        event("like", "item_liked", user_id="viewer", item_id="film"),
        event("was", "item_updated", **film, properties={"categories": ["drama"]}),
        object_id="1",
    )
    platform.process()
    assert platform.query(affinity) == [({"drama": 1.0},)]
    assert platform.query("select user_id from interaction.sessions where session_id = 's1'")

    platform.land(received_first, received_at=RECEIVED - timedelta(hours=1), object_id="2")
    platform.land(
        event(
            "is",
            "item_updated",
            **film,
            properties={"categories": ["war", "sport"]},
            occurred_at="2026-03-01T13:00:00Z",
        ),
        object_id="3",
    )
    platform.process()
    assert platform.query(affinity) == [({"sport": 0.5, "war": 0.5},)]
    return platform


def test_an_earlier_delivery_that_turns_up_later_leaves_nothing_of_the_other(
    corrected: SmallPlatform,
) -> None:
    users = "where user_id in ('u1', 'u2')"
    assert corrected.query(
        f"select user_id, item_id, session_id from interaction.interactions {users}"
    ) == [("u2", "i2", "s2")]
    assert corrected.query(f"select user_id, item_id from feedback.feedback_scores {users}") == [
        ("u2", "i2")
    ]
    assert corrected.query("select day, users from metrics.engagement_daily order by day") == [
        (date(2026, 1, 31), 1),
        (date(2026, 3, 1), 1),
    ]


def test_what_was_corrected_and_all_it_reaches_equals_a_rebuild(corrected: SmallPlatform) -> None:
    assert corrected.tables() == corrected.rebuilt().stored()


def test_a_run_that_died_between_the_scores_and_their_sums_adds_nothing_twice(
    platform: SmallPlatform,
) -> None:
    platform.land(event("a", "item_liked", item_id="i1"), object_id="1")
    platform.process()
    platform.land(
        event("b", "item_dismissed", item_id="i1", occurred_at="2026-03-01T13:00:00Z"),
        event("c", "item_liked", user_id="u2", item_id="i1"),
        object_id="2",
    )
    platform.clean()
    for _ in range(2):
        platform.stage()
        platform.run(["+feedback_scores"])

    platform.transform()
    platform.publish()

    assert platform.query("select users, fans from features.item_features") == [(2, 1)]
    assert platform.tables() == platform.rebuilt().stored()
