from __future__ import annotations

import csv
import math

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.events import columns
from feedback_platform.events.contract import EVENT_TYPES, FIELDS, TYPES_WITHOUT_USER, FieldKind
from feedback_platform.settings import DBT_PROJECT_DIR

# Where a cleaned row came from; no sender says so.
LINEAGE = {columns.RAW_OBJECT, columns.RAW_ROW}


def test_every_column_name_is_a_field_of_the_event() -> None:
    names = {value for name, value in vars(columns).items() if name.isupper()}

    assert names - LINEAGE == set(FIELDS)


def test_the_event_is_what_the_design_says() -> None:
    assert list(FIELDS) == [
        "event_id",
        "event_type",
        "user_id",
        "anonymous_id",
        "session_id",
        "item_id",
        "occurred_at",
        "sent_at",
        "received_at",
        "value",
        "recommendation_id",
        "position",
        "propensity",
        "placement",
        "experiment_id",
        "variant",
        "device_type",
        "platform",
        "country",
        "app_version",
        "properties",
    ]
    assert set(EVENT_TYPES) == {
        "item_impression",
        "item_viewed",
        "item_clicked",
        "item_liked",
        "item_dismissed",
        "item_rated",
        "item_used",
        "item_converted",
        "survey_answered",
        "page_viewed",
        "session_started",
        "session_ended",
        "experiment_exposed",
        "consent_changed",
        "user_updated",
        "user_aliased",
        "item_updated",
    }


def test_what_a_type_requires_is_a_field() -> None:
    for kind in EVENT_TYPES.values():
        assert set(kind.required) <= set(FIELDS), kind.name


def test_bounds_are_the_right_way_round() -> None:
    for kind in EVENT_TYPES.values():
        if kind.value is not None and kind.value.minimum is not None and kind.value.maximum:
            assert kind.value.minimum < kind.value.maximum, kind.name


def test_a_value_is_allowed_within_its_bounds_and_missing_where_none_is_required() -> None:
    rated, viewed, liked = (EVENT_TYPES[f"item_{name}"] for name in ("rated", "viewed", "liked"))

    assert [rated.allows(value) for value in (0.5, 5.0)] == [True, True]
    assert [rated.allows(value) for value in (0.4, 5.1, None)] == [False, False, False]
    assert [viewed.allows(value) for value in (None, 0.0, 1e9)] == [True, True, True]
    assert [viewed.allows(value) for value in (-1.0, math.inf, math.nan)] == [False, False, False]
    # Of a value that means nothing it does not matter what it is.
    assert liked.allows(-7.0)


def test_values_are_numbers_and_times_are_timestamps() -> None:
    assert FIELDS["value"].kind is FieldKind.DOUBLE
    for name, field in FIELDS.items():
        assert (field.kind is FieldKind.TIMESTAMP) == name.endswith("_at")


def test_every_field_has_a_number_of_its_own() -> None:
    numbers = [field.number for field in FIELDS.values()]

    assert len(set(numbers)) == len(numbers)
    assert min(numbers) >= 1


def test_what_each_type_requires() -> None:
    required = {name: kind.required_fields for name, kind in EVENT_TYPES.items()}

    assert required["item_rated"] == {"item_id", "value"}
    assert required["item_viewed"] == required["item_updated"] == {"item_id"}
    assert required["survey_answered"] == {"value"}
    assert required["session_started"] == {"session_id"}
    assert required["experiment_exposed"] == {"experiment_id", "variant"}
    assert required["page_viewed"] == required["user_aliased"] == set()
    assert [name for name, kind in EVENT_TYPES.items() if not kind.needs_user] == ["item_updated"]


def test_only_types_that_exist_may_come_without_a_user() -> None:
    assert set(EVENT_TYPES) >= TYPES_WITHOUT_USER


def test_every_signal_that_is_cleaned_is_weighed_and_the_other_way_round() -> None:
    with (DBT_PROJECT_DIR / "seeds" / "signal_weights.csv").open(newline="") as file:
        weighed = [row["signal"] for row in csv.DictReader(file)]

    assert sorted(weighed) == sorted(rule.signal for rule in default_rules().signals)


def test_every_signal_is_about_an_item() -> None:
    for rule in default_rules().signals:
        assert EVENT_TYPES[rule.event_type].needs_item, rule.signal
