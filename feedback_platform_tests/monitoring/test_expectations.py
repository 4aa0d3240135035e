from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pandas as pd
import pytest

from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.monitoring import validation
from feedback_platform.monitoring.expectations import (
    validate_clean,
    validate_feedback,
    validate_raw,
)
from feedback_platform.monitoring.validation import SuiteResult

RECEIVED = pd.Timestamp("2026-03-01T10:00:00Z")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A thread of its own would swallow the error, so each attempt is remembered, too.
    attempts: list[object] = []

    def refuse(*arguments: object) -> None:
        attempts.append(arguments)
        raise AssertionError("a suite touched the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert attempts == []


def _clean() -> pd.DataFrame:
    """Four events: a rating, an imputed view, a click without a value, an item without a user."""
    return pd.DataFrame(
        {
            "event_id": ["e1", "e2", "e3", "e4"],
            "event_type": ["item_rated", "item_viewed", "item_clicked", "item_updated"],
            "user_id": ["u1", "u1", "anonymous:a1", None],
            "item_id": ["i1"] * 4,
            "occurred_at": [RECEIVED - pd.Timedelta(days=400)] * 4,
            "received_at": [RECEIVED] * 4,
            "value": [5.0, None, None, None],
            "device_category": ["mobile", "desktop", "unknown", "unknown"],
            "normalised_value": [1.0, 0.4, None, None],
            "is_imputed": [False, True, False, False],
            "imputation_rule": [None, "median", None, None],
            "is_outlier": [False] * 4,
            "outlier_rule": [None] * 4,
            "is_bot": [False, False, True, False],
            "bot_rule": [None, None, "crawler", None],
            "is_burst": [False, True, False, False],
            "burst_rule": [None, "minute", None, None],
            "clock_offset_seconds": [0.0, -3600.0, None, None],
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
            "is_known_user": [True, True],
            "is_known_item": [True, True],
        }
    )


def _scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": ["u1", "u1"],
            "item_id": ["i1", "i2"],
            "feedback_score": [0.0, 1.0],
            "confidence": [0.25, 1.0],
        }
    )


def _objects() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "raw_object": ["a", "b"],
            "is_readable": [True, True],
            "hours_outside": [0.0, None],
        }
    )


def _sources() -> pd.DataFrame:
    return pd.DataFrame({"source": ["collector", "kafka"], "json_share": [1.0, 0.95]})


def _volume() -> pd.DataFrame:
    return pd.DataFrame({"hour": [RECEIVED], "events": [900], "usual": [1000.0], "of_usual": [0.9]})


def test_good_clean_events_pass_every_expectation() -> None:
    result = validate_clean(_clean())

    assert (result.success, result.is_severe, result.failed) == (True, False, [])
    assert result.evaluated > 40


def test_good_feedback_passes_every_expectation() -> None:
    assert validate_feedback(_feedback(), _scores()) == SuiteResult(
        success=True, evaluated=20, failed=[]
    )


def test_good_raw_objects_pass_every_expectation() -> None:
    assert validate_raw(_objects(), _sources(), _volume()) == SuiteResult(
        success=True, evaluated=4, failed=[]
    )


# Column, value of the first row, and what is said of it.
Mistake = tuple[str, Any, str]
MISTAKES: Final[list[Mistake]] = [
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
        "user_id",
        None,
        (
            "expect_column_values_to_not_be_null on user_id "
            "where event_type is item_rated: 1 of 1 rows"
        ),
    ),
    (
        "item_id",
        None,
        (
            "expect_column_values_to_not_be_null on item_id "
            "where event_type is item_rated: 1 of 1 rows"
        ),
    ),
    (
        "clock_offset_seconds",
        -100_000.0,
        (
            "expect_column_values_to_be_between on clock_offset_seconds: 1 of 4 rows, "
            "such as -100000.0"
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
]
MISTAKES_OF_FEEDBACK: Final[list[Mistake]] = [
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
    (
        "is_known_item",
        False,
        "expect_column_values_to_be_in_set on is_known_item: 1 of 2 rows, such as False",
    ),
]


TYPED: Final = {"value", "user_id", "item_id"}


def _together(mistakes: list[Mistake]) -> list[list[Mistake]]:
    """Mistakes that one row can have at once: a suite takes a second, whatever it looks for.

    What is promised of events of a type is promised of none whose type is unknown.
    """
    groups: list[list[Mistake]] = []
    for mistake in mistakes:
        for group in groups:
            is_typed = [known[0] in TYPED for known in (*group, mistake)]
            columns = [known[0] for known in (*group, mistake)]
            if len(set(columns)) == len(columns) and not (
                "event_type" in columns and any(is_typed)
            ):
                group.append(mistake)
                break
        else:
            groups.append([mistake])
    return groups


def _severity(results: list[Any]) -> dict[str, bool]:
    """Of each broken promise, by its sentence."""
    return {
        validation._sentence(result): validation._is_severe(result)
        for result in results
        if not result.success
    }


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What became of each expectation."""
    seen: list[Any] = []
    validate = validation._results

    def kept(*given: Any) -> list[Any]:
        seen[:] = validate(*given)
        return seen

    monkeypatch.setattr(validation, "_results", kept)
    return seen


@pytest.mark.parametrize("mistakes", _together(MISTAKES))
def test_bad_clean_events_fail_with_the_right_sentences(
    mistakes: list[Mistake], results: list[Any]
) -> None:
    frame = _clean()
    for column, value, _ in mistakes:
        frame.loc[0, column] = value

    result = validate_clean(frame)

    assert not result.success
    assert result.failed == sorted(sentence for _, _, sentence in mistakes)
    assert _severity(results) == {
        sentence: "hours from" not in sentence and "seconds" not in sentence
        for _, _, sentence in mistakes
    }


@pytest.mark.parametrize(
    ("column", "value", "is_severe"),
    [("event_id", None, True), ("clock_offset_seconds", -100_000.0, False)],
)
def test_one_severe_mistake_is_enough(column: str, value: Any, *, is_severe: bool) -> None:
    frame = _clean()
    frame.loc[0, column] = value

    assert validate_clean(frame).is_severe is is_severe


@pytest.mark.parametrize("mistakes", _together(MISTAKES_OF_FEEDBACK))
def test_bad_feedback_fails_with_the_right_sentences(
    mistakes: list[Mistake], results: list[Any]
) -> None:
    frame = _feedback()
    for column, value, _ in mistakes:
        frame.loc[0, column] = value

    result = validate_feedback(frame, _scores())

    assert (result.success, result.is_severe) == (False, True)
    assert result.failed == sorted(sentence for _, _, sentence in mistakes)
    assert all(_severity(results).values())


def test_every_broken_promise_has_a_sentence() -> None:
    frame = _feedback().assign(feedback_score=2.0, feedback_type="vague")

    assert validate_feedback(frame, _scores()).failed == [
        "expect_column_values_to_be_between on feedback_score: 2 of 2 rows, such as 2.0",
        "expect_column_values_to_be_in_set on feedback_type: 2 of 2 rows, such as 'vague'",
    ]


def test_a_pair_with_two_scores_or_an_impossible_one_is_severe() -> None:
    scores = _scores().assign(item_id="i1", confidence=1.01)

    result = validate_feedback(_feedback(), scores)

    assert result.is_severe
    assert [sentence.partition(":")[0] for sentence in result.failed] == [
        "expect_column_values_to_be_between on confidence",
        "expect_compound_columns_to_be_unique on user_id, item_id",
    ]


def test_a_sentence_names_no_user() -> None:
    failed = validate_feedback(_feedback(), _scores().assign(item_id="i1")).failed

    assert failed == ["expect_compound_columns_to_be_unique on user_id, item_id: 2 of 2 rows"]


def test_unusual_shares_are_warnings() -> None:
    result = validate_clean(
        _many(_clean(), "event_id").assign(
            is_imputed=True,
            imputation_rule="median",
            is_outlier=True,
            outlier_rule="iqr",
            device_category="unknown",
        )
    )

    assert result.failed == [
        f"expect_column_mean_to_be_between on {sentence}"
        for sentence in (
            "share imputed: 1, expected open to 0.25",
            "share of outliers: 1, expected open to 0.1",
            "share of unknown devices: 1, expected open to 0.5",
        )
    ]
    assert not result.is_severe


def test_next_to_no_explicit_feedback_is_a_warning_where_there_is_much_of_it() -> None:
    silent = _feedback().assign(feedback_type="implicit")

    assert validate_feedback(silent, _scores()).failed == []
    result = validate_feedback(_many(silent, "feedback_id"), _scores())
    assert (result.failed, result.is_severe) == (
        [
            (
                "expect_column_mean_to_be_between on share of explicit feedback: 0, "
                "expected 0.001 to 0.9"
            )
        ],
        False,
    )


def _many(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """Enough rows for a share to mean something."""
    rows = pd.concat([frame] * 100, ignore_index=True)
    return rows.assign(**{key: [f"k{number}" for number in range(len(rows))]})


def test_an_object_that_cannot_be_read_is_severe() -> None:
    result = validate_raw(_objects().assign(is_readable=[True, False]), _sources(), _volume())

    assert result.is_severe
    assert result.failed == [
        "expect_column_values_to_be_in_set on is_readable: 1 of 2 rows, such as False"
    ]


def test_lines_that_are_no_json_other_hours_and_a_quiet_hour_are_warnings() -> None:
    result = validate_raw(
        _objects().assign(hours_outside=[0.0, 2.0]),
        _sources().assign(json_share=[1.0, 0.5]),
        _volume().assign(of_usual=0.1),
    )

    assert not result.is_severe
    assert result.failed == [
        "expect_column_values_to_be_between on hours_outside: 1 of 2 rows, such as 2.0",
        "expect_column_values_to_be_between on json_share: 1 of 2 rows, such as 0.5",
        "expect_column_values_to_be_between on of_usual: 1 of 1 rows, such as 0.1",
    ]


def test_a_missing_column_is_a_sentence_and_not_a_crash() -> None:
    result = validate_feedback(_feedback().drop(columns="confidence"), _scores())

    assert (result.success, result.is_severe) == (False, True)
    assert result.failed == ["expect_column_to_exist on confidence: the frame has no such column"]


def test_empty_frames_and_columns_of_nulls_pass() -> None:
    no_values = _clean().assign(value=None, normalised_value=None, clock_offset_seconds=None)

    assert validate_clean(_clean().iloc[:0]).failed == []
    assert validate_clean(no_values).failed == []
    assert validate_feedback(_feedback().iloc[:0], _scores().iloc[:0]).failed == []
    assert validate_raw(_objects().iloc[:0], _sources().iloc[:0], _volume().iloc[:0]).failed == []


def test_data_docs_are_a_site_that_the_next_ones_replace(tmp_path: Path) -> None:
    docs = tmp_path / "quality" / "feedback"
    validate_feedback(_feedback().assign(feedback_score=2.0), _scores(), docs)
    before = sorted(path.name for path in docs.rglob("feedback-feedback.html"))
    (docs / "left behind").touch()

    validate_feedback(_feedback(), _scores(), docs)

    assert before == ["feedback-feedback.html"]
    assert (docs / "index.html").is_file()
    assert not (docs / "left behind").exists()
    assert [path.name for path in docs.parent.iterdir()] == ["feedback"]
    (page,) = (docs / "validations" / "feedback").rglob("*.html")
    index = (docs / "index.html").read_text(encoding="utf-8")
    linked = [unquote(found) for found in re.findall(r'href="([^"]+)"', index)]
    assert page.relative_to(docs).as_posix() in linked
    assert [link for link in linked if not (docs / link).is_file()] == []
    assert "values must be unique" in page.read_text(encoding="utf-8")


def test_nothing_is_left_behind_where_temporary_files_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    validate_raw(_objects(), _sources(), _volume())

    assert list(tmp_path.iterdir()) == []


def test_whole_numbers_are_within_bounds_too() -> None:
    whole = _feedback().astype({"feedback_score": "int64"})
    assert validate_feedback(whole, _scores()).success


def test_every_event_type_of_the_contract_is_known_to_the_suite() -> None:
    names = sorted(EVENT_TYPES)
    frame = pd.concat([_clean().iloc[[2]]] * len(names)).assign(
        event_id=[f"e{number}" for number in range(len(names))], event_type=names
    )

    assert not validate_clean(frame).is_severe
