"""The layers beside the scores, against figures worked out by hand."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.loading import replace_table
from feedback_platform.warehouse.training_tables import (
    affinities,
    items,
    open_for_training,
    users,
)
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import RECEIVED, SmallPlatform, event


def _at(day: int, minute: int = 0) -> str:
    return f"2026-03-{day:02d}T10:{minute:02d}:00Z"


def _visit(
    session: str, number: int, event_type: str, minute: int, **fields: Any
) -> dict[str, Any]:
    return event(
        f"{session}-{number}",
        event_type,
        **{"user_id": session, "item_id": "film", "session_id": session, "placement": "home"}
        | fields,
        occurred_at=_at(1, minute),
    )


def _survey(number: int, score: float, survey: str = "nps") -> dict[str, Any]:
    return event(
        f"survey-{survey}-{number}",
        "survey_answered",
        value=score,
        occurred_at=_at(2),
        properties={"survey": survey},
    )


EVENTS = (
    # Four visits on the home page: seven impressions, two clicks.
    _visit("looks once", 1, "item_impression", 0),
    _visit("looks once", 2, "item_viewed", 1, value=10),
    _visit("looks twice", 1, "item_viewed", 0, value=10),
    _visit("looks twice", 2, "item_viewed", 2, value=10),
    _visit("clicks", 1, "item_impression", 0),
    _visit("clicks", 2, "item_impression", 0),
    _visit("clicks", 3, "item_clicked", 5, device_type="Mobile"),
    _visit("comes", 1, "session_started", 0, item_id=None, device_type="desktop"),
    _visit("comes", 2, "item_impression", 0),
    _visit("comes", 3, "item_clicked", 0, placement="search"),
    *[_survey(number, score) for number, score in enumerate([10, 10, 9, 8, 6])],
    _survey(1, 0, "csat"),
    event("rating-1", "item_rated", item_id="film", value=5, occurred_at=_at(2)),
    event("rating-2", "item_rated", item_id="book", value=2, occurred_at=_at(2)),
    event(
        "film",
        "item_updated",
        user_id=None,
        item_id="film",
        occurred_at=_at(1),
        properties={"title": "Film", "categories": ["drama", "war"], "a/b": 1},
    ),
    event(
        "film again",
        "item_updated",
        user_id=None,
        item_id="film",
        occurred_at=_at(2),
        properties={"categories": ["drama"]},
    ),
    event("user", "user_updated", properties={"plan": "pro", "age": 30, "~/": "x", "none": None}),
    event("anonymous", "item_liked", user_id=None, anonymous_id="a1", item_id="film"),
)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    platform = SmallPlatform.at(tmp_path_factory.mktemp("layers"), project)
    platform.land(*EVENTS, b"not JSON", b'{"event_id": "x"}', object_id="1")
    platform.process()
    return platform


def test_a_visit_that_does_nothing_but_look_once_is_a_bounce(worked: SmallPlatform) -> None:
    rows = worked.query(
        "select session_id, user_id, events, duration_seconds, is_bounce, device_type "
        "from interaction.sessions where session_id not like 'visit:%' order by session_id"
    )

    assert rows == [
        ("clicks", "clicks", 3, 300.0, False, "unknown"),
        ("comes", "comes", 3, 0.0, False, "desktop"),
        ("looks once", "looks once", 2, 60.0, True, "unknown"),
        ("looks twice", "looks twice", 2, 120.0, False, "unknown"),
    ]


def test_engagement_counts_by_placement(worked: SmallPlatform) -> None:
    (home,) = worked.records(
        "select * exclude (day, segment, placement, segmentation) from metrics.engagement_daily "
        "where day = date '2026-03-01' and placement = 'home'"
    )

    assert home == {
        "sessions": 4,
        "users": 4,
        "impressions": 4,
        "clicks": 1,
        "ctr": 0.25,
        "session_seconds": (60 + 120 + 300 + 0) / 4,
        "bounce_rate": 0.25,
    }


def test_without_impressions_there_is_no_click_through(worked: SmallPlatform) -> None:
    (search,) = worked.query(
        "select impressions, clicks, ctr from metrics.engagement_daily where placement = 'search'"
    )

    assert search == (0, 1, None)


def test_the_nps_has_the_interval_of_its_five_answers(worked: SmallPlatform) -> None:
    (day,) = worked.records("from metrics.satisfaction_daily")

    # Three promoters, one detractor: 40 points. With one more of each, the middle is 2/7, and the
    # variance of one answer 6/7 - (2/7)^2.
    half = 100 * 1.959964 * math.sqrt((6 / 7 - 4 / 49) / 7)
    assert day["day"] == date(2026, 3, 2)
    assert day["responses"] == 5
    assert day["nps"] == 40.0
    assert day["nps_low"] == pytest.approx(200 / 7 - half, abs=1e-6)
    assert day["nps_high"] == pytest.approx(200 / 7 + half, abs=1e-6)
    assert (day["ratings"], day["average_rating"]) == (2, 3.5)


def test_rejected_lines_are_counted_by_reason(worked: SmallPlatform) -> None:
    assert worked.query("from metrics.quarantine_daily order by reason") == [
        (RECEIVED.date(), "malformed_json", 1),
        (RECEIVED.date(), "missing_field", 1),
    ]


def test_an_attribute_is_what_was_said_last(worked: SmallPlatform) -> None:
    (film,) = worked.query("select attributes from interaction.items where item_id = 'film'")

    assert json.loads(film[0]) == {"title": "Film", "categories": ["drama"], "a/b": 1}
    with open_for_training(worked.published) as publication:
        catalogue = items(publication)
    assert catalogue.to_dicts() == [
        {"item_id": "book", "title": None, "categories": []},
        {"item_id": "film", "title": "Film", "categories": ["drama"]},
    ]


def test_attributes_of_users_are_read_whatever_their_names(worked: SmallPlatform) -> None:
    with open_for_training(worked.published) as publication:
        frame = users(publication).filter(pl.col("user_id") == "u1")

    assert sorted(frame["attributes"].to_list()[0]) == ["age:30", "plan:pro", "~/:x"]


def test_an_anonymous_user_is_a_user(worked: SmallPlatform) -> None:
    rows = worked.query(
        "select feedback_score from feedback.feedback_scores where user_id = ?", ["anonymous:a1"]
    )

    assert rows == [(1.0,)]


def test_features_count_and_encode(worked: SmallPlatform) -> None:
    (user,) = worked.records("from features.user_features where user_id = 'clicks'")

    assert (user["events"], user["impressions"], user["clicks"]) == (3, 2, 1)
    assert (user["sessions"], user["active_days"]) == (1, 1)
    # Two of its three events came without a device.
    assert user["is_device_unknown"] == 1
    assert sum(value for name, value in user.items() if name.startswith("is_device_")) == 1
    assert user["category_affinity"] == {"drama": 1.0}


def test_item_features_know_the_average_rating(worked: SmallPlatform) -> None:
    rows = worked.query(
        "select item_id, average_rating, impressions, clicks, click_through "
        "from features.item_features order by item_id"
    )

    assert rows == [("book", 2.0, 0, 0, None), ("film", 5.0, 4, 2, 0.5)]


def test_affinities_add_up_to_one(worked: SmallPlatform) -> None:
    with open_for_training(worked.published) as publication:
        totals = affinities(publication).group_by("user_id").agg(pl.col("affinity").sum())

    assert totals.height > 0
    assert (totals["affinity"] - 1).abs().max() == pytest.approx(0, abs=1e-8)


def test_the_tables_pass_their_own_tests_and_the_models_their_unit_tests(
    worked: SmallPlatform,
) -> None:
    worked.project.warehouse_path = worked.warehouse
    results = worked.project.test()

    assert {result.kind for result in results} == {"test", "unit_test"}
    assert [result.name for result in results if not result.is_good] == []


def _hash(feedback_id: str) -> str:
    return f"cast(md5_number_lower('{feedback_id}') & 4294967295 as uinteger)"


_NAMED_NEW = f"'new' as feedback_id, {_hash('new')} as feedback_id_hash"


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        (
            (
                f"insert into feedback.user_feedback select * replace ({_NAMED_NEW}, "
                "'stranger' as user_id) from feedback.user_feedback limit 1"
            ),
            'foreign key: no user_id "stranger"',
        ),
        (
            (
                f"insert into feedback.user_feedback select * replace ({_NAMED_NEW}, "
                "'unheard of' as item_id) from feedback.user_feedback limit 1"
            ),
            'foreign key: no item_id "unheard of"',
        ),
        ("update feedback.user_feedback set user_id = 'stranger'", 'no user_id "stranger"'),
        ("update feedback.user_feedback set item_id = 'unheard of'", 'no item_id "unheard of"'),
        ("insert into feedback.user_feedback from feedback.user_feedback limit 1", "Duplicate key"),
        (
            (
                "update feedback.user_feedback set feedback_id = 'same', "
                f"feedback_id_hash = {_hash('same')}"
            ),
            'Duplicate key: feedback "same"',
        ),
        ("update feedback.user_feedback set feedback_id = 'same'", "CHECK constraint failed"),
        ("delete from feedback.user_keys", "foreign key: feedback refers to user_id"),
        ("update feedback.user_keys set user_id = user_id || '!'", "feedback refers to user_id"),
        ("delete from feedback.item_keys", "foreign key: feedback refers to item_id"),
    ],
)
def test_the_database_itself_enforces_the_keys_of_feedback(
    worked: SmallPlatform, statement: str, refusal: str
) -> None:
    everything = "from feedback.user_feedback order by feedback_id"
    with duckdb.connect(worked.warehouse) as connection:
        before = connection.execute(everything).fetchall()
        with pytest.raises(duckdb.Error, match=refusal):
            connection.execute(statement)
        assert connection.execute(everything).fetchall() == before


def _assign(platform: SmallPlatform, *assignments: tuple[str, int, int]) -> None:
    """Load segmentations: version, the day of March from which it counts, u1's segment."""
    rows = pl.DataFrame(
        [
            (name, datetime(2026, 3, day, tzinfo=UTC), "u1", segment)
            for name, day, segment in assignments
        ],
        schema=["model_version", "effective_from", "user_id", "segment_id"],
        orient="row",
    )
    with open_warehouse(platform.warehouse) as connection:
        replace_table(connection, "ml", "segment_assignments", rows)


def test_a_day_is_seen_through_the_segmentation_in_force(platform: SmallPlatform) -> None:
    days = [
        event(f"e{day}", "session_started", session_id=f"s{day}", occurred_at=_at(day))
        for day in range(1, 8)
    ]
    platform.land(*days[:6], received_at=datetime(2026, 3, 8, tzinfo=UTC), object_id="1")
    platform.process()
    segments = "select day(day), segment from metrics.engagement_daily order by day"
    assert {segment for _, segment in platform.query(segments)} == {"unassigned"}

    _assign(platform, ("v1", 3, 1), ("v2", 5, 2))
    platform.process()

    # A version counts for the days that begin after it; the first also for those before it.
    assert platform.query(segments) == [
        (1, "1"),
        (2, "1"),
        (3, "1"),
        (4, "1"),
        (5, "1"),
        (6, "2"),
    ]

    _assign(platform, ("v1", 3, 1), ("v2", 5, 2), ("v3", 6, 3))
    platform.land(days[6], received_at=datetime(2026, 3, 8, tzinfo=UTC), object_id="2")
    platform.process()

    assert platform.query(segments)[4:] == [(5, "1"), (6, "2"), (7, "3")]


def test_no_event_stops_the_pipeline_for_the_others(platform: SmallPlatform) -> None:
    """Whatever the contract lets through, every model can digest."""
    strange: list[dict[str, Any]] = [
        {"properties": {'quo"te': "back\\slash \n \u0000 \u2028", "": 1, "~": 2, "a/b": {}}},
        {"properties": {"categories": [None, "x", None, 3, {"a": [1]}], "title": {"no": 1}}},
        {"properties": {"categories": "no list", "title": None}},
        {"properties": {"categories": {"no": "list"}}, "item_id": "i2"},
        {"properties": {}, "item_id": " "},
        {"user_id": " ", "session_id": " ", "placement": ""},
        {"user_id": "a'; drop table x; --", "item_id": "{curly", "session_id": "\t"},
        {"occurred_at": "0001-01-01T00:00:00Z"},
        {"occurred_at": "9999-12-31T23:59:59Z", "sent_at": "0001-01-01T00:00:00Z"},
        # Refused: by the platform's clock it happened before the year 1.
        {"occurred_at": "0001-01-01T00:00:00Z", "sent_at": "9999-12-31T23:59:59Z"},
    ]
    lines = [
        event(f"{event_type}-{number}", event_type, **{"item_id": "i1", "session_id": "s"} | fields)
        for number, fields in enumerate(strange)
        for event_type in ("item_updated", "user_updated", "item_liked", "session_ended")
    ]
    lines += [
        event(f"{event_type}-{value}", event_type, item_id="i1", value=value)
        for event_type in ("item_viewed", "item_used", "item_converted", "item_clicked")
        for value in (0, 1e15, 1e300)
    ]
    platform.land(*lines, b'{"event_id": "p", "properties": "{no json"}', object_id="1")
    (manifest,) = platform.clean()
    platform.transform()
    platform.publish()

    refused = 4 + 1
    assert (manifest.clean, manifest.quarantined) == (len(lines) - 4, refused)
    assert len(platform.tables()["interaction.interactions"]) == len(lines) - 4
    ((properties,),) = platform.query(
        "select properties from interaction.interactions where event_id = 'user_updated-0'"
    )
    assert json.loads(properties) == strange[0]["properties"]
