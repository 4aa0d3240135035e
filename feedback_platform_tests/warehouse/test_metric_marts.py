"""The marts of metrics by users' days, against figures worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

LATER = datetime(2026, 4, 1, tzinfo=UTC)


def _on(day: str, event_type: str, user: str, time: str = "12:00", **fields: Any) -> dict[str, Any]:
    """What a user did on a day of 2026, such as `01-05`; its id says what, who and when."""
    name = f"{event_type}-{user}-{day}-{time}-{sorted(fields.items())}"
    at = f"2026-{day}T{time}:00Z"
    return event(name, event_type, **{"user_id": user, "occurred_at": at} | fields)


def _shown(day: str, user: str, time: str, item: str, version: str | None) -> dict[str, Any]:
    properties = {"model_version": version} if version else {}
    list_of_user = {"recommendation_id": f"list of {user}", "item_id": item}
    return _on(day, "item_impression", user, time, **list_of_user, properties=properties)


def _clicked(day: str, user: str, time: str, item: str) -> dict[str, Any]:
    list_of_user = {"recommendation_id": f"list of {user}", "item_id": item}
    return _on(day, "item_clicked", user, time, **list_of_user)


def _exposed(day: str, user: str, time: str, variant: str) -> dict[str, Any]:
    arm = {"experiment_id": "cards", "variant": variant, "session_id": f"{user} {day}"}
    return _on(day, "experiment_exposed", user, time, **arm)


def _visiting(day: str, event_type: str, user: str, time: str, **fields: Any) -> dict[str, Any]:
    return _on(day, event_type, user, time, item_id="film", session_id=f"{user} {day}", **fields)


MODELS = [
    # Of five items that v2 listed, three were clicked within half an hour.
    _shown("01-05", "ann", "12:00", "clicked", "v2"),
    _clicked("01-05", "ann", "12:30", "clicked"),
    _shown("01-05", "ann", "12:00", "too late", "v2"),
    _clicked("01-05", "ann", "12:31", "too late"),
    _shown("01-05", "ann", "23:50", "after midnight", "v2"),
    _clicked("01-06", "ann", "00:10", "after midnight"),
    _shown("01-05", "ben", "12:00", "of another list", "v2"),
    _on("01-05", "item_clicked", "ben", item_id="of another list", recommendation_id="other"),
    _shown("01-05", "ben", "13:00", "clicked twice", "v2"),
    _clicked("01-05", "ben", "13:01", "clicked twice"),
    _clicked("01-05", "ben", "13:02", "clicked twice"),
    _shown("01-05", "ben", "14:00", "nobody's", None),
    _on(
        "01-05", "item_impression", "ben", item_id="of no list", properties={"model_version": "v2"}
    ),
]
EXPERIMENT = [
    # Before she meets a variant she clicks; then she looks for a minute, and comes back next day.
    _visiting("01-12", "item_impression", "eve", "11:50"),
    _visiting("01-12", "item_clicked", "eve", "11:55"),
    _exposed("01-12", "eve", "12:00", "new"),
    _visiting("01-12", "item_impression", "eve", "12:00"),
    _visiting("01-12", "item_viewed", "eve", "12:01", value=10),
    # Met later, another variant changes nothing; and what was done before on that day counts.
    _visiting("01-13", "item_impression", "eve", "09:00"),
    _exposed("01-13", "eve", "09:01", "old"),
    _visiting("01-13", "item_clicked", "eve", "09:02"),
    _visiting("01-13", "item_converted", "eve", "09:04", value=5),
    _exposed("01-12", "fay", "10:00", "old"),
    _visiting("01-12", "item_clicked", "fay", "10:02"),
    # Meets none.
    _visiting("01-12", "item_clicked", "gus", "10:00"),
]
SURVEYS = [
    _on("01-20", "survey_answered", f"s{number}", value=score, properties={"survey": survey})
    for number, (survey, score) in enumerate(
        [*[("csat", score) for score in (5, 4, 4, 3, 1)], ("csat", 0), ("csat", 9)]
    )
]
CONVERSIONS = [
    *[_on("01-26", "page_viewed", f"c{number}") for number in range(4)],
    _on("01-26", "item_converted", "c0", "13:00", item_id="film", value=9.99),
    _on("01-26", "item_converted", "c0", "14:00", item_id="film"),
    _on("01-26", "item_converted", "c1", item_id="film", value=1e300),
    _on("01-26", "item_converted", "bot", item_id="film", properties={"is_bot": True}),
]
# The week from Monday, 9 February on, and those after it. The last event is in the fourth.
RETURNS = [
    *[_on("02-09", "page_viewed", f"r{number}", "00:00") for number in range(3)],
    _on("02-15", "page_viewed", "r3", "23:59"),
    _on("02-16", "page_viewed", "r0", "00:00"),
    _on("02-16", "page_viewed", "r0", "12:00"),
    _on("02-22", "page_viewed", "r1", "23:59"),
    _on("02-24", "user_updated", "r2", properties={"plan": "pro"}),
    _on("03-03", "page_viewed", "r3"),
    _on("03-10", "page_viewed", "r3"),
    _on("02-10", "page_viewed", "program", properties={"is_bot": True}),
    _on("02-17", "page_viewed", "program"),
]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    platform = SmallPlatform.at(tmp_path_factory.mktemp("marts"), project)
    happened = [*MODELS, *EXPERIMENT, *SURVEYS, *CONVERSIONS, *RETURNS]
    platform.land(*happened, received_at=LATER, object_id="1")
    platform.process()
    return platform


def test_a_click_counts_for_the_version_that_listed_the_item(measured: SmallPlatform) -> None:
    rows = measured.query(
        "select * from metrics.engagement_by_model_daily "
        "where day between '2026-01-05' and '2026-01-06' order by model_version"
    )

    assert rows == [
        (date(2026, 1, 5), "none", "none", 1, 0, 0.0, 1),
        (date(2026, 1, 5), "v2", "none", 5, 3, 0.6, 2),
    ]


def test_a_variant_counts_what_its_users_do_since_they_met_it(measured: SmallPlatform) -> None:
    rows = measured.records("from metrics.engagement_by_variant_daily order by day, variant")

    in_sum = {"impressions": 1, "clicks": 1, "ctr": 1.0, "conversions": 1}
    assert rows == [
        _arm("2026-01-12", "new", impressions=1, session_seconds=60.0, bounce_rate=1.0, ctr=0.0),
        _arm("2026-01-12", "old", clicks=1, session_seconds=120.0),
        _arm("2026-01-13", "new", session_seconds=240.0, **in_sum),
    ]


def _arm(day: str, variant: str, **figures: float) -> dict[str, Any]:
    return {
        "day": date.fromisoformat(day),
        "experiment_id": "cards",
        "variant": variant,
        "users": 1,
        "sessions": 1,
        "impressions": 0,
        "clicks": 0,
        "ctr": None,
        "bounce_rate": 0.0,
        "conversions": 0,
    } | figures


def test_csat_is_the_share_of_four_and_five_of_five(measured: SmallPlatform) -> None:
    (day,) = measured.records("from metrics.satisfaction_daily where day = '2026-01-20'")

    # Three of five; Wilson's interval by hand: (.6 + .38415 -+ 1.96 sqrt(.048 + .03841)) / 1.76829.
    assert (day["csat_responses"], day["csat"]) == (5, 0.6)
    assert (day["csat_low"], day["csat_high"]) == pytest.approx((0.230724, 0.882379), abs=1e-6)
    # Nobody was asked for the NPS, and nobody rated.
    assert (day["responses"], day["nps"], day["nps_low"], day["nps_high"]) == (0, None, None, None)


def test_a_user_converts_once_a_day_and_revenue_that_no_currency_knows_is_none(
    measured: SmallPlatform,
) -> None:
    (row,) = measured.records("from metrics.conversion_daily where day = '2026-01-26'")

    assert row == {
        "day": date(2026, 1, 26),
        "segment": "unassigned",
        "users": 4,
        "converted_users": 2,
        "conversion_rate": 0.5,
        "low": pytest.approx(0.150039, abs=1e-6),
        "high": pytest.approx(0.849961, abs=1e-6),
        "conversions": 3,
        "revenue": 9.99,
    }


def test_retention_counts_who_was_there_in_each_week_that_is_over(measured: SmallPlatform) -> None:
    rows = measured.query(
        "select week, users, returned, retention, low, high from metrics.retention_weekly "
        "where cohort_week = '2026-02-09' order by week"
    )

    # r2 was only spoken of; the program came as a person a week later, and belongs to that cohort.
    assert rows == [
        (1, 4, 2, 0.5, pytest.approx(0.150039, abs=1e-6), pytest.approx(0.849961, abs=1e-6)),
        (2, 4, 0, 0.0, 0.0, pytest.approx(0.489891, abs=1e-6)),
        (3, 4, 1, 0.25, pytest.approx(0.045587, abs=1e-6), pytest.approx(0.699358, abs=1e-6)),
    ]


# In short: the random histories of test_incremental.py.
@pytest.mark.slow
def test_a_new_week_and_a_late_event_change_the_cohorts_that_they_touch(
    platform: SmallPlatform,
) -> None:
    def landed(number: int, *events: dict[str, Any]) -> list[Any]:
        platform.land(*events, received_at=LATER, object_id=str(number))
        platform.process()
        return platform.query(
            "select month(cohort_week), day(cohort_week), week, users, returned "
            "from metrics.retention_weekly order by all"
        )

    first = landed(1, *[_on("02-09", "page_viewed", f"u{number}") for number in range(3)])
    assert first == []
    assert landed(2, _on("02-17", "page_viewed", "u0")) == []
    assert landed(3, _on("02-23", "page_viewed", "u1")) == [(2, 9, 1, 3, 1)]
    # u2 was there the week before, and so is of another cohort; u1 returned after all.
    late = [_on("02-08", "page_viewed", "u2"), _on("02-18", "page_viewed", "u1")]
    assert landed(4, *late) == [(2, 2, 1, 1, 1), (2, 2, 2, 1, 0), (2, 9, 1, 2, 2)]
    assert platform.tables() == platform.rebuilt().stored()


def test_who_opts_out_counts_in_none_of_them_and_opting_in_brings_all_back(
    platform: SmallPlatform,
) -> None:
    marts = (
        "engagement_by_model_daily",
        "engagement_by_variant_daily",
        "conversion_daily",
        "retention_weekly",
    )

    def rows() -> dict[str, int]:
        return {name: len(platform.query(f"from metrics.{name}")) for name in marts}

    platform.land(*MODELS[:4], *EXPERIMENT[:5], *RETURNS, received_at=LATER, object_id="1")
    platform.process()
    everybody = rows()

    leaving = [
        _on("03-11", "consent_changed", user, properties={switch: False})
        for user, switch in [("ann", "personalisation"), ("eve", "research"), ("r0", "research")]
    ]
    platform.land(*leaving, received_at=LATER, object_id="2")
    platform.process()
    without = rows()
    assert [without[name] for name in marts[:2]] == [0, 0]
    cohort = (
        "select users, returned from metrics.retention_weekly "
        "where week = 1 and cohort_week = '2026-02-09'"
    )
    assert platform.query(cohort) == [(3, 1)]

    back = [
        _on(
            "03-12", "consent_changed", user, properties={"personalisation": True, "research": True}
        )
        for user in ("ann", "eve", "r0")
    ]
    platform.land(*back, received_at=LATER, object_id="3")
    platform.process()
    assert rows() == everybody
    assert platform.query(cohort) == [(4, 2)]
    assert platform.tables() == platform.rebuilt().stored()
