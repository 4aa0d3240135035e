"""Raw objects of received lines, from their bytes to clean and quarantined rows."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.engines.polars import clean_objects
from feedback_platform.cleaning.engines.port import CleanedObjects
from feedback_platform.cleaning.fetching import read_object
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.cleaning.reading import parse_raw_object
from feedback_platform.events.received import Format, opaque_line, opened_line
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping, load_mapping
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.cleaning.lines import HOUR, REFERENCE, event, ndjson
from feedback_platform_tests.seeds import examples
from feedback_platform_tests.services.s3_server import BUCKET

AT = "2026-03-01T10:20:00.000000Z"
OWN = load_mapping(PROJECT_DIR / "docs" / "event-mapping.toml")
COLLECTED = keys.raw_object(HOUR, "collector-a1b2", "0000000001")
FIREHOSE = "raw/firehose/shop/2026/03/01/10/shop-1-2026-03-01-10-20-00-aa"


def track(name: str, properties: Any, message_id: str | None = "m") -> dict[str, Any]:
    return {
        "type": "track",
        "event": name,
        "userId": "u",
        "messageId": message_id,
        "timestamp": "2026-03-01T10:19:58.000+00:00",
        "properties": properties,
    }


def received(message: Any, form: Format = Format.SEGMENT, **facts: Any) -> bytes:
    line = opened_line(form, **{"received_at": AT, "source": "web"} | facts)
    return line + json.dumps(message).encode() + b"}"


def clean(
    *lines: dict[str, Any] | bytes, key: str = COLLECTED, mapping: EventMapping = DEFAULT_MAPPING
) -> CleanedObjects:
    item = parse_raw_object(key, ndjson(*lines), mapping)
    return clean_objects([item], default_rules(), REFERENCE)


def test_a_received_line_becomes_a_clean_row_that_knows_its_line() -> None:
    outcome = clean(b"", received(track("Product Viewed", {"product_id": "p", "a": 'q"\\'})))

    (row,) = outcome.clean.rows(named=True)
    assert (row["event_id"], row["event_type"], row["item_id"]) == ("m", "item_viewed", "p")
    assert (row["raw_object"], row["raw_row"]) == (COLLECTED, 1)
    assert row["received_at"] == HOUR + timedelta(minutes=20)
    assert row["occurred_at"] == datetime(2026, 3, 1, 10, 19, 58, tzinfo=UTC)
    assert json.loads(row["properties"]) == {"a": 'q"\\'}
    assert (outcome.rows, outcome.duplicates) == (1, 0)


def test_the_senders_clock_is_corrected_by_when_the_batch_was_sent() -> None:
    line = received(
        track("Product Viewed", {"product_id": "p"}), sent_at="2026-03-01T10:20:05.000Z"
    )

    (row,) = clean(line).clean.rows(named=True)

    assert row["occurred_at"] == datetime(2026, 3, 1, 10, 19, 53, tzinfo=UTC)
    assert row["clock_offset_seconds"] == -5.0


def test_several_events_of_a_line_count_each() -> None:
    listed = {"products": [{"product_id": "a"}, {"name": "nameless"}, {"product_id": "c"}]}
    line = received(track("Product List Viewed", listed))

    outcome = clean(line, event("e"), line)

    assert outcome.clean.select("event_id", "raw_row").rows() == [
        ("e", 1),
        ("m#1", 0),
        ("m#3", 0),
    ]
    (first, second) = outcome.quarantined.rows(named=True)
    assert (first["reason"], first["field"], first["raw_row"]) == ("missing_field", "item_id", 0)
    assert (first["raw"], second["raw_row"]) == (line, 2)
    assert (outcome.rows, outcome.duplicates) == (7, 2)


def test_what_is_no_event_is_put_aside_and_costs_its_neighbours_nothing() -> None:
    unmapped = received(track("Debug Ping", {}))
    broken = b'{"format":"segment","received_at":'
    refused = received({"a": 1}, refusal={"reason": "too_large", "field": "message"})
    opaque = opaque_line(
        b"\x00\xff{", reason="undecodable_message", field="value", received_at=AT, source="web"
    )
    good = received(track("Product Viewed", {"product_id": "p"}))

    outcome = clean(good, unmapped, broken, refused, opaque, b"no json", event("e"))

    assert outcome.clean["event_id"].to_list() == ["e", "m"]
    assert outcome.rows == 7
    assert outcome.quarantined.select("raw_row", "reason", "field", "source", "raw").rows() == [
        (1, "unmapped_event", "event", "collector/web", unmapped),
        (2, "malformed_json", None, "collector", broken),
        (3, "too_large", "message", "collector/web", refused),
        (4, "undecodable_message", "value", "collector/web", b"\x00\xff{"),
        (5, "malformed_json", None, "collector", b"no json"),
    ]
    assert outcome.quarantined["received_at"].to_list()[:2] == [HOUR + timedelta(minutes=20), HOUR]


def test_the_mapping_of_the_installation_is_applied() -> None:
    line = received(track("Film Watched", {"film": {"id": "f"}, "seconds": 2}))

    (row,) = clean(line, mapping=OWN).clean.rows(named=True)

    assert (row["event_type"], row["item_id"], row["value"]) == ("item_used", "f", 2000.0)


def test_an_event_without_an_id_has_the_same_one_at_every_reading() -> None:
    line = received(track("Product Viewed", {"product_id": "p"}, None))
    kafka = received({"event_type": "item_liked"}, Format.EVENT, fallback_id="orders-0-17")

    ids = [clean(line, kafka).clean["event_id"].to_list() for _ in range(2)]

    assert ids[0] == ids[1]
    assert clean(line, line).clean.height == 2
    assert f"{COLLECTED}#0" in ids[0]


def test_nesting_that_can_be_read_but_not_written_is_put_aside() -> None:
    deep = received(track("Product Viewed", {})).replace(
        b'"properties": {}', b'"properties": {"x": ' + b"[" * 500 + b"]" * 500 + b"}"
    )

    outcome = clean(received(track("Product Viewed", {"product_id": "p"})), deep)

    assert outcome.clean.height == 1
    assert outcome.quarantined["reason"].to_list() == ["too_deep"]


@pytest.mark.parametrize(
    ("stated", "believed"),
    [
        ("2026-03-01T10:59:59Z", datetime(2026, 3, 1, 10, 59, 59, tzinfo=UTC)),
        ("2026-03-02T10:00:00Z", datetime(2026, 3, 2, 10, tzinfo=UTC)),
        ("2026-03-02T10:00:01Z", HOUR),
        ("2026-02-28T10:00:00Z", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-02-28T09:59:59Z", HOUR),
        ("1999-01-01T00:00:00Z", HOUR),
    ],
)
def test_a_time_of_reception_far_from_its_objects_hour_is_not_believed(
    stated: str, believed: datetime
) -> None:
    (row,) = clean(event(received_at=stated)).clean.rows(named=True)
    (refused,) = clean(received({}, received_at=stated)).quarantined.rows(named=True)

    assert row["received_at"] == believed
    assert refused["received_at"] == believed


MIXED = b"".join(
    [
        json.dumps(event("canonical")).encode(),
        json.dumps(track("Product Viewed", {"product_id": "p"}, "bare")).encode(),
        b"\n",
        received(track("Product Viewed", {"product_id": "p"}, "line")),
        json.dumps(
            {"specversion": "1.0", "source": "/s", "id": "1", "type": "item_liked", "subject": "i"}
            | {"data": {"user_id": "u"}}
        ).encode(),
        b'{"cut": ',
    ]
)


@pytest.mark.parametrize("is_gzip", [True, False])
def test_a_file_of_firehose_is_read_as_it_is(lake: Lake, is_gzip: bool) -> None:  # noqa: FBT001
    lake.put(FIREHOSE, gzip.compress(MIXED) if is_gzip else MIXED, mode="create")

    outcome = clean_objects([read_object(lake, FIREHOSE)], default_rules(), REFERENCE)

    assert sorted(outcome.clean.select("event_id", "raw_row").rows()) == [
        ("/s#1", 3),
        ("bare", 1),
        ("canonical", 0),
        ("line", 2),
    ]
    (refused,) = outcome.quarantined.rows(named=True)
    assert (refused["source"], refused["reason"], refused["raw"]) == (
        "firehose",
        "malformed_json",
        b'{"cut": ',
    )
    assert (refused["raw_row"], refused["received_at"]) == (4, HOUR)


def test_files_of_firehose_are_found_and_cleaned_once(lake: Lake) -> None:
    lake.put(FIREHOSE, gzip.compress(MIXED), mode="create")
    lake.put(f"{FIREHOSE}-other.gz", b"\x1f\x8bno gzip", mode="create")

    outcome = clean_new(lake, default_rules(), is_sweep=False)

    assert (outcome.objects, outcome.clean, outcome.quarantined) == (2, 4, 2)
    assert clean_new(lake, default_rules(), is_sweep=False).objects == 0
    assert clean_new(lake, default_rules(), is_sweep=True).objects == 0


def test_records_of_several_lines_are_counted_in_the_order_in_which_they_stand(lake: Lake) -> None:
    tracked = track("Product Viewed", {"products": [{"product_id": "p"}], "sku": "s"}, "bare")
    pretty = [
        json.dumps(event("a"), indent=2),
        json.dumps(tracked, indent=2) + "\n",
        json.dumps(event("cut"), indent=2)[:-30] + "\n",
        json.dumps(event("b"), indent=4),
        json.dumps(event("c")),
    ]
    key = "raw/firehose/2024/2026/03/01/10/customer=7/x.gz"
    lake.put(key, gzip.compress("".join(pretty).encode()), mode="create")

    outcome = clean_objects([read_object(lake, key)], default_rules(), REFERENCE)

    assert sorted(outcome.clean.select("event_id", "raw_row").rows()) == [
        ("a", 0),
        ("b", 3),
        ("bare", 1),
        ("c", 4),
    ]
    (refused,) = outcome.quarantined.rows(named=True)
    assert (refused["reason"], refused["raw_row"]) == ("malformed_json", 2)
    assert refused["raw"].startswith(b'{   "event_id": "cut",')


def test_the_mark_of_a_folder_among_the_files_of_firehose_holds_nobody_up(
    s3_lake_url: str,
) -> None:
    lake = Lake(s3_lake_url)
    lake.put(FIREHOSE, json.dumps(event("a")).encode(), mode="create")
    folder = f"{urlsplit(s3_lake_url).path[1:]}/{FIREHOSE.rpartition('/')[0]}/customer=7/"
    boto3.client("s3").put_object(Bucket=BUCKET, Key=folder, Body=b"")

    outcome = clean_new(lake, default_rules(), is_sweep=False)

    assert (outcome.clean, outcome.quarantined) == (1, 0)
    assert clean_new(lake, default_rules(), is_sweep=True).objects == 0


def test_canonical_records_that_follow_one_another_directly_are_told_apart() -> None:
    content = json.dumps(event("a")) + json.dumps(event("b"))

    read = parse_raw_object(FIREHOSE, content.encode())

    assert read.events["event_id"].to_list() == ["a", "b"]


LINES = st.one_of(
    st.builds(
        received,
        st.builds(
            track,
            st.sampled_from(["Product Viewed", "Order Completed", "Film Watched", "Debug Ping"]),
            st.sampled_from(
                [
                    {"product_id": "p", "film": {"id": "f"}},
                    {"products": [{"sku": "a", "price": 1}, {"sku": "b"}, {}]},
                    {"film": {}, "seconds": "x"},
                    [],
                ]
            ),
            st.sampled_from(["m1", "m2", None]),
        ),
    ),
    st.builds(event, st.sampled_from(["e1", "m1", "m2-1"])),
    st.sampled_from([b"bad", b"", b'{"format":"', opaque_line(b"x", reason="r", field=None)]),
)


@examples(20)
@given(contents=st.lists(st.lists(LINES, max_size=5), min_size=1, max_size=4))
def test_counts_balance_and_no_object_depends_on_another(
    contents: list[list[dict[str, Any] | bytes]],
) -> None:
    objects = [
        parse_raw_object(keys.raw_object(HOUR, "collector-a", f"{n:010d}"), ndjson(*lines), OWN)
        for n, lines in enumerate(contents)
    ]
    together = clean_objects(objects, default_rules(), REFERENCE)
    turned = clean_objects(objects[::-1], default_rules(), REFERENCE)

    parts = together.clean.height + together.quarantined.height + together.duplicates
    assert together.rows == sum(together.object_rows) == parts
    assert turned.clean.equals(together.clean)
    assert turned.quarantined.equals(together.quarantined)
    for item in objects:
        alone = clean_objects([item], default_rules(), REFERENCE)
        is_of_it = together.clean["raw_object"] == item.key
        assert together.clean.filter(is_of_it).equals(alone.clean)
        lines = [line for line in item.content.split(b"\n") if line.strip()]
        found = {*alone.clean["raw_row"], *alone.quarantined["raw_row"]}
        assert len(found) <= len(lines) <= alone.rows


def test_an_opaque_line_that_lies_about_its_bytes_is_quoted_itself() -> None:
    line = json.dumps({"format": "opaque", "bytes": "no base64"}, separators=(",", ":")).encode()
    good = opaque_line(b"raw", reason="r", field=None)

    raw = clean(line, good).quarantined["raw"].to_list()

    assert raw == [line, b"raw"]


def test_an_object_of_another_writer_does_not_name_a_sender() -> None:
    line = received(track("Debug Ping", {}), source="orders")

    (row,) = clean(line, key=keys.raw_object(HOUR, "kafka-orders-0", "17")).quarantined.rows(
        named=True
    )

    assert row["source"] == "kafka-orders-0"
