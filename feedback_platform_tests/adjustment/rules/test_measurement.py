from __future__ import annotations

from datetime import timedelta

import pytest

from feedback_platform.adjustment.rules import measurement
from feedback_platform.adjustment.rules.definition import EACH, Each
from feedback_platform.adjustment.rules.intervals import Sample
from feedback_platform.adjustment.rules.measurement import Span
from feedback_platform.adjustment.rules.metrics import METRICS
from feedback_platform.newest_event import newest_event
from feedback_platform_tests.adjustment.rules.tables import START, Tables, at


def test_where_nothing_happened_nothing_is_measured(tables: Tables) -> None:
    assert newest_event(tables.query) is None
    for metric in METRICS:
        assert tables.measured(metric) == {"": Sample()}
    assert tables.measured("bounce_rate", {"segment": EACH}) == {}


def test_an_event_that_claims_to_be_of_the_future_does_not_move_time_on(tables: Tables) -> None:
    tables.happen(5)
    tables.happen(10**8, received_at=at(7))

    assert newest_event(tables.query) == START + timedelta(minutes=7)
    assert tables.fraction("click_through_rate") == (0, 1)


def test_an_impression_is_clicked_when_its_own_list_was_within_half_an_hour(
    tables: Tables,
) -> None:
    for number in range(4):
        tables.happen(number, recommendation_id=f"r{number}")
    click = {"event_type": "item_clicked"}
    tables.happen(2, **click, recommendation_id="r0")
    tables.happen(3, **click, recommendation_id="r0")
    tables.happen(3, **click, recommendation_id="r1", item_id="other")
    tables.happen(32.5, **click, recommendation_id="r2")
    tables.happen(4, **click, recommendation_id="r3", is_bot=True)

    assert tables.fraction("click_through_rate") == (1, 4)


def test_what_cannot_be_clicked_and_what_programs_see_is_no_impression(tables: Tables) -> None:
    tables.happen(0)
    tables.happen(1, recommendation_id=None)
    tables.happen(2, is_bot=True)
    tables.happen(3, is_burst=True)
    tables.happen(4, user_id=None)

    assert tables.fraction("click_through_rate") == (0, 1)


def test_a_dismissal_may_leave_out_which_list_it_came_from(tables: Tables) -> None:
    tables.happen(0, recommendation_id="r0")
    tables.happen(1, recommendation_id="r1", session_id="s1")
    tables.happen(2, recommendation_id="r2", session_id="s2")
    gone = {"event_type": "item_dismissed"}
    tables.happen(3, **gone, recommendation_id=None)
    tables.happen(3, **gone, recommendation_id="r1", session_id="s1")
    tables.happen(3, **gone, recommendation_id="elsewhere", session_id="s2")

    assert tables.fraction("dismiss_rate") == (2, 3)


def test_visits_are_bounced_long_or_converted(tables: Tables) -> None:
    tables.visit(0, 10, "a", is_bounce=True)
    tables.visit(0, 20, "b")
    tables.visit(-200, 10, "before")
    tables.happen(5, event_type="item_converted", session_id="b")
    tables.happen(5, event_type="item_converted", session_id=None)

    assert tables.fraction("bounce_rate") == (1, 2)
    assert tables.fraction("session_seconds") == (1_800, 2)
    assert tables.fraction("conversion_rate") == (1, 2)


def test_what_users_say_is_counted_as_they_say_it(tables: Tables) -> None:
    for value in (10, 9, 8, 6, 0):
        survey = {"event_type": "survey_answered", "properties": '{"survey": "nps"}'}
        tables.happen(1, **survey, value=value)
    tables.happen(1, event_type="survey_answered", properties='{"survey": "other"}', value=0)
    tables.happen(1, event_type="item_rated", value=4)
    tables.happen(1, event_type="item_rated", value=1)
    tables.happen(1, event_type="item_rated", value=None)

    assert tables.fraction("net_promoter_share") == (0, 5)
    assert tables.fraction("average_rating") == (5, 2)


def test_dwell_that_was_filled_in_or_absurd_does_not_count(tables: Tables) -> None:
    for flags in ({}, {"is_imputed": True}, {"is_outlier": True}):
        tables.happen(1, event_type="item_viewed", cleaned_value=90_000, **flags)
    tables.happen(1, event_type="item_used", cleaned_value=90_000)

    assert tables.fraction("dwell_seconds") == (90, 1)


def test_sums_are_those_over_users(tables: Tables) -> None:
    for user, values in {"a": (1, 5), "b": (4,), "c": (2, 2, 2)}.items():
        for value in values:
            tables.happen(1, event_type="item_rated", user_id=user, value=value)

    (sample,) = tables.measured("average_rating").values()

    # By hand: totals 6, 4, 6 and counts 2, 1, 3.
    assert sample == Sample(
        users=3, count=6, total=16, total_squares=88, products=34, count_squares=14
    )


@pytest.mark.parametrize("preferences", [(False, True), (True, False)])
def test_who_switched_off_personalisation_or_research_takes_no_part(
    tables: Tables, preferences: tuple[bool, bool]
) -> None:
    for user in ("silent", "stays", "leaves"):
        tables.happen(1, user_id=user)
    tables.insert("interaction.user_preferences", "stays", True, True)
    tables.insert("interaction.user_preferences", "leaves", *preferences)

    assert tables.fraction("click_through_rate") == (0, 2)


def test_a_span_leaves_out_its_beginning_and_takes_in_its_end(tables: Tables) -> None:
    for minute in range(4):
        tables.happen(minute)
        tables.visit(minute - 1, 1, f"v{minute}")
    span = Span(START, START + timedelta(minutes=2))

    for metric in ("click_through_rate", "bounce_rate"):
        (sample,) = tables.measured(metric, span=span).values()
        assert sample.count == 2
    backwards = Span(span.ends, span.begins)
    assert tables.measured("bounce_rate", span=backwards) == {"": Sample()}


def test_impressions_are_told_apart_by_everything_that_is_known_of_them(tables: Tables) -> None:
    tables.insert("interaction.items", "i", ["a", "b"])
    tables.insert("interaction.items", "j", ["b"])
    tables.insert("ml.user_segments", "u", 2)
    tables.happen(0, properties='{"model_version": "m1"}')
    tables.happen(1, item_id="j", user_id="v", placement="sidebar")
    tables.happen(2, item_id="unknown", placement=None)

    def counts(**scope: str | Each) -> dict[str, int]:
        found = tables.measured("click_through_rate", scope)
        return {place: sample.count for place, sample in found.items()}

    assert counts(placement=EACH) == {"home": 1, "none": 1, "sidebar": 1}
    assert counts(segment=EACH) == {"2": 2, "unassigned": 1}
    assert counts(item=EACH) == {"i": 1, "j": 1, "unknown": 1}
    assert counts(category=EACH) == {"a": 1, "b": 2}
    assert counts(model_version=EACH) == {"m1": 1, "none": 2}
    assert counts(placement="home", category=EACH) == {"home a": 1, "home b": 1}
    assert counts(segment="2", item="i") == {"2 i": 1}
    assert counts(segment="7") == {"7": 0}


def test_made_up_places_do_not_crowd_out_the_others(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "MOST_PLACES", 2)
    for minute, placement in enumerate(["b", "a", "b", "made up", "a"]):
        tables.happen(minute, placement=placement)

    found = tables.measured("click_through_rate", {"placement": EACH})

    assert {place: sample.count for place, sample in found.items()} == {"a": 2, "b": 2}
    assert list(found) == ["a", "b"]


def test_a_visit_is_at_every_placement_that_it_met(tables: Tables) -> None:
    for session in ("a", "b"):
        tables.visit(0, 10, session)
        tables.happen(1, session_id=session)
        tables.happen(2, session_id=session, placement=None)
    tables.happen(3, session_id="b", placement="sidebar")
    tables.happen(4, session_id="b", placement="sidebar")

    found = tables.measured("bounce_rate", {"placement": EACH})

    assert {place: sample.count for place, sample in found.items()} == {"home": 2, "sidebar": 1}
    assert tables.measured("bounce_rate")[""].count == 2


def test_no_value_of_a_scope_is_read_as_sql(tables: Tables) -> None:
    tables.happen(0, placement="'; drop table interaction.interactions; --")

    found = tables.measured(
        "click_through_rate", {"placement": "'; drop table interaction.interactions; --"}
    )

    assert [sample.count for sample in found.values()] == [1]
    assert newest_event(tables.query) == START
