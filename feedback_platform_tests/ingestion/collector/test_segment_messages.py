from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.cleaning import validation
from feedback_platform.ingestion.collector.refusals import Reason
from feedback_platform.ingestion.collector.segment_messages import NEEDED, fault_of, is_sound

ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
    | st.just("x" * 101)
)
NAMES = ["type", "userId", "anonymousId", "event", "groupId", "previousId", "messageId"]
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        name: ANYTHING if name != "type" else st.sampled_from([*NEEDED, "x", 5, None, []])
        for name in NAMES
    },
)


@given(MESSAGES)
def test_what_looks_sound_at_a_glance_has_no_fault(message: dict[str, Any]) -> None:
    if is_sound(message, message.get("type")):
        assert fault_of(message, None) is None


@given(MESSAGES, st.sampled_from([*NEEDED, None]))
def test_every_fault_names_a_field_of_the_protocol(
    message: dict[str, Any], kind: str | None
) -> None:
    fault = fault_of(message, kind)
    if fault is not None:
        assert fault.field in NAMES
        assert str(fault.field) in fault.text
        assert len(fault.text) < 200


def test_numbers_are_taken_for_ids_but_truth_values_are_not() -> None:
    assert fault_of({"userId": 7}, "identify") is None
    fault = fault_of({"userId": True}, "identify")
    assert fault is not None
    assert (fault.reason, fault.field) == (Reason.INVALID_TYPE, "userId")


def test_the_reasons_are_those_of_cleaning() -> None:
    names = {name: reason for name, reason in vars(validation).items() if name.isupper()}
    for reason in Reason:
        assert names.get(reason.name, reason) == reason
    assert {validation.MISSING_USER, validation.MISSING_FIELD} <= set(map(str, Reason))
