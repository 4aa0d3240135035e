"""What is said of lines before they are cleaned is what cleaning makes of them."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.engines.polars import clean_objects
from feedback_platform.cleaning.events_to_come import events_to_come
from feedback_platform.cleaning.reading import parse_raw_object
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import (
    Identity,
    IdentityKind,
    Tombstones,
    add_tombstones,
    load_tombstones,
)
from feedback_platform_tests.cleaning.lines import HOUR, KEY, REFERENCE
from feedback_platform_tests.seeds import examples

NAMES = ["Consent Updated", "Product Clicked", "nothing that is mapped", "Order Completed"]
TIMES = [
    *("2026-03-01T09:00:00Z", "2026-03-01T10:20:00.5+01:00", "2026-03-01T12:00:00Z"),
    *("2026-03-03T10:00:00Z", "yesterday", 5, None, ""),
]
IDS: st.SearchStrategy[Any] = st.sampled_from(["ada", "eve", "", "a\0b", 7, None, []])
times = st.sampled_from(TIMES)
messages = st.fixed_dictionaries(
    {
        "type": st.just("track"),
        "event": st.sampled_from(NAMES),
        "messageId": st.sampled_from("abc"),
    },
    optional={
        "userId": IDS,
        "anonymousId": IDS,
        "timestamp": times,
        "sentAt": times,
        "properties": st.fixed_dictionaries(
            {},
            optional={
                "personalisation": st.sampled_from([True, "false", 1, None]),
                "position": st.sampled_from([1, -1, "x"]),
                "propensity": st.sampled_from([0, 0.5, "2"]),
                "product_id": IDS,
            },
        ),
    },
)
COLUMNS = ["event_id", "event_type", "user_id", "anonymous_id", "properties", "occurred_at"]


def line(message: dict[str, Any]) -> bytes:
    facts = {"format": "segment", "received_at": "2026-03-01T10:30:00Z"}
    if isinstance(message.get("sentAt"), str) and message["sentAt"]:
        facts["sent_at"] = message["sentAt"]
    return orjson.dumps({**facts, "message": message}) + b"\n"


def ada_was_erased(directory: str) -> Tombstones:
    lake = Lake(f"file://{directory}")
    add_tombstones(lake, "r", [Identity(IdentityKind.USER, "ada")], HOUR)
    return load_tombstones(lake)


@examples(20)
@given(st.lists(messages, min_size=1, max_size=6))
def test_it_is_what_cleaning_makes_of_them(
    tmp_path_factory: Any, sent: list[dict[str, Any]]
) -> None:
    tombstones = ada_was_erased(str(tmp_path_factory.mktemp("erased")))
    lines = b"".join(map(line, sent))
    objects = [parse_raw_object(KEY, lines)]
    cleaned = clean_objects(objects, default_rules(), REFERENCE, tombstones).clean

    found = events_to_come(lines, HOUR, DEFAULT_MAPPING, tombstones)

    expected = cleaned.select(COLUMNS)
    assert_frame_equal(found, expected, check_row_order=False, check_dtypes=False)
