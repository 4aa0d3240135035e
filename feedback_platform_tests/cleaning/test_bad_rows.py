"""Bad rows of every kind end in quarantine with their reason and field, and cost nobody else a row.

The table is complete: whoever adds a reason, or a field to one, finds it missing here.
"""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from feedback_platform.cleaning import validation
from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import CleaningOutcome, clean_new
from feedback_platform.cleaning.quarantine import QuarantineFilter, list_quarantine
from feedback_platform.events import columns, translation
from feedback_platform.events.contract import EVENT_TYPES, FIELDS, REQUIRED_FIELDS
from feedback_platform.events.received import Format, opaque_line
from feedback_platform.ingestion.collector.refusals import Reason
from feedback_platform.ingestion.streams.lines import UNDECODABLE
from feedback_platform.lake import keys
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cleaning.lines import HOUR, event, ndjson
from feedback_platform_tests.cleaning.test_received_lines import OWN, received, track

GONE: Any = None


class BadRow(NamedTuple):
    reason: str
    field: str | None
    line: dict[str, Any] | bytes
    is_whole_object: bool = False


def _typed(event_type: str, **fields: Any) -> dict[str, Any]:
    """An event of a type that has whatever any type requires, unless told otherwise."""
    whole = {"session_id": "s", "experiment_id": "x", "variant": "a", "value": 1}
    return event("e", event_type, **whole | fields)


def _segment(**changes: Any) -> bytes:
    return received(track("Product Viewed", {"product_id": "p"}) | changes)


def _cloud_event(**changes: Any) -> bytes:
    data = {"user_id": "u", "item_id": "i"}
    message = {"specversion": "1.0", "id": "1", "source": "s", "type": "item_liked", "data": data}
    return received(message | changes, Format.CLOUDEVENT)


def _put_aside(reason: str, field: str | None) -> bytes:
    """What a way in put aside already."""
    return received({"a": 1}, Format.SEGMENT, refusal={"reason": reason, "field": field})


NESTED = b'{"a":' * 300 + b"1" + b"}" * 300
DEEP = _segment().replace(b'{"product_id": "p"}', NESTED)
MANY = [{"product_id": f"p{number}"} for number in range(501)]

BAD_ROWS = (
    # What cannot be read.
    BadRow("unreadable_object", None, b"no zstd", is_whole_object=True),
    BadRow("malformed_json", None, b'{"event_id": "cut off'),
    BadRow("malformed_json", None, b"[1, 2]"),
    BadRow("malformed_json", None, b'{"format":"segment","message":{"cut": '),
    BadRow("too_deep", "properties", DEEP),
    # Text that is not of its field's kind.
    BadRow("invalid_type", "event_id", event() | {"event_id": {"a": 1}}),
    BadRow("invalid_type", "event_type", event() | {"event_type": ["item_liked"]}),
    BadRow("invalid_type", "user_id", event(user_id={"a": 1})),
    BadRow("invalid_type", "anonymous_id", event(anonymous_id=["a"])),
    BadRow("invalid_type", "session_id", event(session_id={"a": 1})),
    BadRow("invalid_type", "item_id", event(item_id="nul \u0000")),
    BadRow("invalid_type", "occurred_at", event(occurred_at="yesterday, around noon")),
    BadRow("invalid_type", "occurred_at", event(occurred_at="0000-12-31T23:59:59Z")),
    BadRow("invalid_type", "occurred_at", event(occurred_at="+10000-01-01T00:00:00Z")),
    BadRow("invalid_type", "occurred_at", event(occurred_at="0001-01-01T00:00:00+01:00")),
    BadRow("invalid_type", "occurred_at", event(occurred_at="9999-12-31T23:59:59-01:00")),
    BadRow("invalid_type", "occurred_at", event(occurred_at="-262143-01-01T00:00:00Z")),
    # In years of four digits by the sender's clock, before the year 1 by the platform's.
    BadRow("invalid_type", "occurred_at",
        event(occurred_at="0001-01-01T00:00:00Z", sent_at="9999-12-31T23:59:59Z")),
    BadRow("invalid_type", "sent_at", event(sent_at="2026-02-30T10:00:00Z")),
    BadRow("invalid_type", "sent_at", event(sent_at="10000-01-01T00:00:00Z")),
    BadRow("invalid_type", "received_at", event(received_at="10000-01-01T00:00:00Z")),
    BadRow("invalid_type", "received_at", event(received_at="soon")),
    BadRow("invalid_type", "value", event(value="a while")),
    BadRow("invalid_type", "recommendation_id", event(recommendation_id=["r"])),
    BadRow("invalid_type", "position", event(position=1.5)),
    BadRow("invalid_type", "propensity", event(propensity="likely")),
    BadRow("invalid_type", "placement", event(placement={"a": 1})),
    BadRow("invalid_type", "experiment_id", event(experiment_id=["x"])),
    BadRow("invalid_type", "variant", event(variant=["a"])),
    BadRow("invalid_type", "device_type", event(device_type={"a": 1})),
    BadRow("invalid_type", "platform", event(platform=["ios"])),
    BadRow("invalid_type", "country", event(country={"a": 1})),
    BadRow("invalid_type", "app_version", event(app_version=[1])),
    BadRow("invalid_type", "properties", event(properties="none")),
    # What the contract requires.
    BadRow("missing_field", "event_id", event(event_id=GONE)),
    BadRow("missing_field", "event_type", event(event_type=GONE)),
    BadRow("missing_field", "item_id", _typed("item_viewed", item_id=None)),
    BadRow("missing_field", "session_id", _typed("session_started", session_id="")),
    BadRow("missing_field", "experiment_id", _typed("experiment_exposed", experiment_id=None)),
    BadRow("missing_field", "variant", _typed("experiment_exposed", variant=None)),
    BadRow("missing_field", "value", _typed("item_rated", value=None)),
    BadRow("unknown_event_type", "event_type", event(event_type="item_hovered")),
    BadRow("missing_user", "user_id", event(user_id="")),
    # Numbers that mean nothing.
    BadRow("out_of_range", "value", _typed("item_viewed", value=-1)),
    BadRow("out_of_range", "value", _typed("item_used", value=-0.001)),
    BadRow("out_of_range", "value", _typed("item_converted", value=-5)),
    BadRow("out_of_range", "value", _typed("item_rated", value=11)),
    BadRow("out_of_range", "value", _typed("item_rated", value=0.4)),
    BadRow("out_of_range", "value", _typed("survey_answered", value=10.5)),
    BadRow("out_of_range", "propensity", event(propensity=0)),
    BadRow("out_of_range", "propensity", event(propensity=1.01)),
    BadRow("out_of_range", "position", event(position=0)),
    BadRow("in_the_future", "occurred_at", event(occurred_at="2026-03-02T10:00:01Z")),
    # Received lines that cannot be translated.
    BadRow("unknown_format", "format", received({}).replace(b'"segment"', b'"morse"')),
    BadRow("missing_field", "message", received(None)),
    BadRow("invalid_type", "message", received([1])),
    BadRow("invalid_type", "properties", received(event(event_type="Film Starred", properties=[1]),
        Format.EVENT)),
    BadRow("unknown_message_type", "type", _segment(type="whisper")),
    BadRow("missing_field", "event", _segment(event=None)),
    BadRow("invalid_type", "event", _segment(event=[1])),
    BadRow("unmapped_event", "event", _segment(event="Cart Shaken")),
    BadRow("ignored_event", "event", _segment(event="Debug Ping")),
    BadRow("invalid_type", "properties", _segment(properties=[1])),
    BadRow("invalid_type", "traits", _segment(type="identify", traits=[1])),
    BadRow("missing_field", "properties.products", _segment(event="Order Completed",
        properties={})),
    BadRow("invalid_type", "properties.shelf.films", _segment(event="Shelf Shown",
        properties={"shelf": {"films": "many"}})),
    BadRow("too_large", "properties.products", _segment(event="Order Completed",
        properties={"products": MANY})),
    BadRow("missing_field", "type", _cloud_event(type="")),
    BadRow("invalid_type", "type", _cloud_event(type=[1])),
    BadRow("unmapped_event", "type", _cloud_event(type="com.example.cart_shaken")),
    BadRow("invalid_type", "data", _cloud_event(data=[1])),
    BadRow("invalid_type", "data_base64", _cloud_event(data_base64="aa")),
    # What the ways in put aside themselves.
    BadRow("refused", None, received({"a": 1}, refusal="no reason")),
    BadRow("malformed_json", None, _put_aside("malformed_json", None)),
    BadRow("invalid_type", "userId", _put_aside("invalid_type", "userId")),
    BadRow("missing_field", "source", _put_aside("missing_field", "source")),
    BadRow("missing_user", "userId", _put_aside("missing_user", "userId")),
    BadRow("unknown_event_type", "type", _put_aside("unknown_event_type", "type")),
    BadRow("out_of_range", "specversion", _put_aside("out_of_range", "specversion")),
    BadRow("too_large", None, _put_aside("too_large", None)),
    BadRow("undecodable_message", "schema",
        opaque_line(b"\x00\xff", reason="undecodable_message", field="schema")),
)  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, CleaningOutcome]:
    """Every bad row in an object of its own, behind a good one."""
    lake = Lake((tmp_path_factory.mktemp("bad") / "lake").as_uri())
    for number, row in enumerate(BAD_ROWS):
        if row.is_whole_object:
            assert isinstance(row.line, bytes)
            lake.put(_key(number), row.line, mode="create")
            continue
        written = write_raw_object(
            lake,
            received_at=HOUR,
            source="web",
            sortable_id=f"{number:04d}",
            ndjson=ndjson(event(f"good-{number}"), row.line),
        )
        assert written == _key(number)
    return lake, clean_new(lake, default_rules(), is_sweep=True, mapping=OWN)


def _key(number: int) -> str:
    return keys.raw_object(HOUR, "web", f"{number:04d}")


@pytest.mark.parametrize(
    "number",
    range(len(BAD_ROWS)),
    ids=[f"{number}-{row.reason}-{row.field}" for number, row in enumerate(BAD_ROWS)],
)
def test_a_bad_row_is_put_aside_with_reason_and_field(
    outcome: tuple[Lake, CleaningOutcome], number: int
) -> None:
    lake, _ = outcome
    rows = list_quarantine(lake, QuarantineFilter()).rows.to_dicts()

    (found,) = [row for row in rows if row["raw_object"] == _key(number)]

    wanted = BAD_ROWS[number]
    assert (found["reason"], found["field"]) == (wanted.reason, wanted.field)
    assert found["raw_row"] == (0 if wanted.is_whole_object else 1)
    assert found["raw"]


def test_the_rows_beside_them_are_clean(outcome: tuple[Lake, CleaningOutcome]) -> None:
    _, cleaned = outcome
    neighbours = sum(not row.is_whole_object for row in BAD_ROWS)

    assert (cleaned.clean, cleaned.quarantined) == (neighbours, len(BAD_ROWS))
    assert cleaned.duplicates == 0


def test_the_table_has_every_reason() -> None:
    # Names of columns, not reasons.
    others = {validation.MALFORMED_FIELD, validation.REASON, validation.FIELD}
    known = {*_named_like_themselves(validation)} - others
    for module in pkgutil.iter_modules(translation.__path__):
        known |= {*_named_like_themselves(import_module(f"{translation.__name__}.{module.name}"))}

    assert {*known, *Reason, UNDECODABLE} == {row.reason for row in BAD_ROWS}
    assert {"unreadable_object", "in_the_future", "unmapped_event", "refused"} <= known


def test_the_table_has_every_field_of_the_contract() -> None:
    table = {(row.reason, row.field) for row in BAD_ROWS}
    required = {*REQUIRED_FIELDS}.union(*(kind.required_fields for kind in EVENT_TYPES.values()))
    bounded = {
        name: kind.value
        for name, kind in EVENT_TYPES.items()
        if kind.value is not None and (kind.value.minimum, kind.value.maximum) != (None, None)
    }

    assert {field for reason, field in table if reason == "invalid_type"} >= set(FIELDS)
    assert {field for reason, field in table if reason == "missing_field"} >= required
    assert bounded.keys() == {
        row.line["event_type"]
        for row in BAD_ROWS
        if (row.reason, row.field) == ("out_of_range", "value") and isinstance(row.line, dict)
    }


def test_the_table_has_every_field_that_translation_refuses() -> None:
    table = {(row.reason, row.field) for row in BAD_ROWS}
    refused = {pair for path in translation.__path__ for pair in _refusals(Path(path))}

    assert ("invalid_type", "data_base64") in refused
    assert refused <= table


def _named_like_themselves(module: Any) -> Iterator[str]:
    """The constants that are called as they read: how reasons are written down here."""
    for name, value in vars(module).items():
        if isinstance(value, str) and name == value.upper() and name.isidentifier():
            yield value


def _refusals(directory: Path) -> Iterator[tuple[str, str | None]]:
    """The reasons and fields of every refusal in the source that says both outright."""
    for path in directory.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refusal":
                reason, field = node.args
                names = [n.id for n in ast.walk(reason) if isinstance(n, ast.Name)]
                for name in filter(str.isupper, names):
                    if isinstance(field, ast.Constant):
                        yield name.lower(), ast.literal_eval(field)
                    elif isinstance(field, ast.Attribute):
                        yield name.lower(), getattr(columns, field.attr)
