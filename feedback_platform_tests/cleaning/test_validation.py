from __future__ import annotations

from typing import Any

import narwhals as nw
import pytest

from feedback_platform.cleaning.validation import with_rejections
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform_tests.cleaning.lines import event, parsed

GONE: Any = None


def _verdict(line: dict[str, Any]) -> tuple[str | None, str | None]:
    frame = with_rejections(nw.from_native(parsed(line).events.lazy())).to_native().collect()
    reason, field = frame.select("reason", "field").row(0)
    return reason, field


REJECTED: list[tuple[str, str, dict[str, Any]]] = [
    ("invalid_type", "value", event(value="much")),
    ("invalid_type", "position", event(position="first")),
    ("missing_field", "event_id", event(event_id=GONE)),
    ("missing_field", "event_type", event(event_type=GONE)),
    ("unknown_event_type", "event_type", event(event_type="item_hovered")),
    ("missing_user", "user_id", event(user_id=None)),
    ("missing_field", "item_id", event(item_id=None)),
    ("missing_field", "item_id", event(event_type="item_updated", item_id=None, user_id=None)),
    ("missing_field", "session_id", event(event_type="session_started")),
    ("missing_field", "session_id", event(event_type="session_ended")),
    ("missing_field", "experiment_id", event(event_type="experiment_exposed", variant="b")),
    ("missing_field", "variant", event(event_type="experiment_exposed", experiment_id="x")),
    ("missing_field", "value", event(event_type="item_rated")),
    ("missing_field", "value", event(event_type="survey_answered", item_id=None)),
    ("out_of_range", "value", event(event_type="item_rated", value=0.4)),
    ("out_of_range", "value", event(event_type="item_rated", value=11)),
    ("out_of_range", "value", event(event_type="item_viewed", value=-1)),
    ("out_of_range", "value", event(event_type="item_used", value=-0.001)),
    ("out_of_range", "value", event(event_type="item_converted", value=-5)),
    ("out_of_range", "value", event(event_type="survey_answered", value=10.5)),
    ("out_of_range", "propensity", event(propensity=0)),
    ("out_of_range", "propensity", event(propensity=1.01)),
    ("out_of_range", "position", event(position=0)),
    ("in_the_future", "occurred_at", event(occurred_at="2026-03-02T10:00:01Z")),
]


@pytest.mark.parametrize(("reason", "field", "line"), REJECTED)
def test_a_broken_event_is_refused_with_reason_and_field(
    reason: str, field: str, line: dict[str, Any]
) -> None:
    assert _verdict(line) == (reason, field)


ACCEPTED: list[dict[str, Any]] = [
    event(),
    event(user_id=None, anonymous_id="a1"),
    event(event_type="item_updated", user_id=None),
    event(event_type="item_rated", value=0.5),
    event(event_type="item_rated", value=5),
    event(event_type="item_viewed", value=0),
    event(event_type="item_viewed"),
    event(event_type="item_clicked", value=-3),  # a click has no value to be out of range
    event(event_type="survey_answered", item_id=None, value=0),
    event(propensity=1, position=1),
    event(occurred_at=None),
    event(occurred_at="2026-03-02T10:00:00Z"),  # a day ahead, and not more
    event(occurred_at="2030-01-01T00:00:00Z", sent_at="2030-01-01T00:00:05Z"),
]


@pytest.mark.parametrize("line", ACCEPTED)
def test_an_event_within_the_contract_is_accepted(line: dict[str, Any]) -> None:
    assert _verdict(line) == (None, None)


def test_of_several_faults_the_first_is_named() -> None:
    line = event(event_type="item_rated", item_id=None, value=11, user_id=None)

    assert _verdict(line) == ("missing_user", "user_id")


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_type_accepts_an_event_that_has_all_it_requires(event_type: str) -> None:
    whole = event(event_type=event_type, session_id="s", experiment_id="x", variant="a", value=1)

    assert _verdict(whole) == (None, None)
