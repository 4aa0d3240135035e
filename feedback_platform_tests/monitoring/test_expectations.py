from __future__ import annotations

import socket
from typing import Any

import pandas as pd
import pytest

from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.monitoring.expectations import (
    SuiteResult,
    validate_clean,
    validate_feedback,
)

RECEIVED = pd.Timestamp("2026-03-01T10:00:00Z")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("a suite touched the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _clean() -> pd.DataFrame:
    """Four events: a rating, an imputed view, a click without a value, an item without a user."""
    return pd.DataFrame(
        {
            "event_id": ["e1", "e2", "e3", "e4"],
            "event_type": ["item_rated", "item_viewed", "item_clicked", "item_updated"],
            "occurred_at": [RECEIVED - pd.Timedelta(days=400)] * 4,
            "received_at": [RECEIVED] * 4,
            "value": [5.0, None, None, None],
            "normalised_value": [1.0, 0.4, None, None],
            "is_imputed": [False, True, False, False],
            "imputation_rule": [None, "median", None, None],
            "is_outlier": [False, False, False, False],
            "outlier_rule": [None, None, None, None],
            "is_bot": [False, False, True, False],
            "bot_rule": [None, None, "crawler", None],
            "is_burst": [False, True, False, False],
            "burst_rule": [None, "minute", None, None],
        }
    )


def _feedback() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "feedback_id": ["f1", "f2"],
            "feedback_score": [0.0, 1.0],
            "confidence": [0.25, 1.0],
            "feedback_type": ["explicit", "implicit"],
            "timestamp": [RECEIVED] * 2,
        }
    )


def test_good_clean_events_pass_every_expectation() -> None:
    # Four columns never null, four about ids, types, times and scales, four flags, five bounds.
    assert validate_clean(_clean()) == SuiteResult(success=True, evaluated=17, failed=[])


def test_good_feedback_passes_every_expectation() -> None:
    assert validate_feedback(_feedback()) == SuiteResult(success=True, evaluated=9, failed=[])


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("event_id", None, "expect_column_values_to_not_be_null on event_id: 1 of 4 rows"),
        (
            "event_id",
            "e2",
            "expect_column_values_to_be_unique on event_id: 2 of 4 rows, such as 'e2'",
        ),
        (
            "event_type",
            "item_hated",
            "expect_column_values_to_be_in_set on event_type: 1 of 4 rows, such as 'item_hated'",
        ),
        (
            "occurred_at",
            RECEIVED + pd.Timedelta(hours=25),
            (
                "expect_column_values_to_be_between on hours from received_at to occurred_at: "
                "1 of 4 rows, such as 25.0"
            ),
        ),
        (
            "value",
            5.5,
            (
                "expect_column_values_to_be_between on value where event_type is item_rated: "
                "1 of 1 rows, such as 5.5"
            ),
        ),
        (
            "normalised_value",
            -0.01,
            "expect_column_values_to_be_between on normalised_value: 1 of 4 rows, such as -0.01",
        ),
        (
            "is_imputed",
            True,
            (
                "expect_column_values_to_not_be_null on imputation_rule where is_imputed is True: "
                "1 of 2 rows"
            ),
        ),
        (
            "is_outlier",
            True,
            (
                "expect_column_values_to_not_be_null on outlier_rule where is_outlier is True: "
                "1 of 1 rows"
            ),
        ),
    ],
)
def test_a_bad_clean_event_fails_with_the_right_sentence(
    column: str, value: Any, sentence: str
) -> None:
    frame = _clean()
    frame.loc[0, column] = value

    assert validate_clean(frame) == SuiteResult(success=False, evaluated=17, failed=[sentence])


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("feedback_id", None, "expect_column_values_to_not_be_null on feedback_id: 1 of 2 rows"),
        (
            "feedback_id",
            "f2",
            "expect_column_values_to_be_unique on feedback_id: 2 of 2 rows, such as 'f2'",
        ),
        (
            "feedback_score",
            1.5,
            "expect_column_values_to_be_between on feedback_score: 1 of 2 rows, such as 1.5",
        ),
        (
            "confidence",
            -1.0,
            "expect_column_values_to_be_between on confidence: 1 of 2 rows, such as -1.0",
        ),
        (
            "feedback_type",
            "vague",
            "expect_column_values_to_be_in_set on feedback_type: 1 of 2 rows, such as 'vague'",
        ),
        ("timestamp", None, "expect_column_values_to_not_be_null on timestamp: 1 of 2 rows"),
    ],
)
def test_bad_feedback_fails_with_the_right_sentence(column: str, value: Any, sentence: str) -> None:
    frame = _feedback()
    frame.loc[0, column] = value

    assert validate_feedback(frame) == SuiteResult(success=False, evaluated=9, failed=[sentence])


def test_every_broken_promise_has_a_sentence() -> None:
    frame = _feedback().assign(feedback_score=2.0, feedback_type="vague")

    assert validate_feedback(frame).failed == [
        "expect_column_values_to_be_between on feedback_score: 2 of 2 rows, such as 2.0",
        "expect_column_values_to_be_in_set on feedback_type: 2 of 2 rows, such as 'vague'",
    ]


def test_a_missing_column_is_a_sentence_and_not_a_crash() -> None:
    result = validate_feedback(_feedback().drop(columns="confidence"))

    assert not result.success
    assert result.failed == ["expect_column_to_exist on confidence: the frame has no such column"]


def test_empty_frames_and_columns_of_nulls_pass() -> None:
    no_values = _clean().assign(value=None, normalised_value=None)

    assert validate_clean(_clean().iloc[:0]).success
    assert validate_clean(no_values).success
    assert validate_feedback(_feedback().iloc[:0]).success


def test_whole_numbers_are_within_bounds_too() -> None:
    assert validate_feedback(_feedback().astype({"feedback_score": "int64"})).success


def test_every_event_type_of_the_contract_is_known_to_the_suite() -> None:
    names = sorted(EVENT_TYPES)
    frame = pd.concat([_clean().iloc[[2]]] * len(names)).assign(
        event_id=[f"e{number}" for number in range(len(names))], event_type=names
    )

    assert validate_clean(frame).success
