from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.engines.polars import clean_objects
from feedback_platform.cleaning.micro_batch import clean_pending
from feedback_platform.cleaning.quarantined_rows import QUARANTINE_SCHEMA
from feedback_platform.cleaning.reading import RawObject
from feedback_platform.errors import LakeUnavailableError
from feedback_platform.lake import keys
from feedback_platform.lake.batches import (
    BatchManifest,
    Ledger,
    latest_manifest,
    manifests_after,
    pending_objects,
)
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.cleaning.lines import HOUR, REFERENCE, event, ndjson, parsed
from feedback_platform_tests.seeds import examples


def _clean(*objects: RawObject) -> Any:
    return clean_objects(list(objects), default_rules(), REFERENCE)


def _land(lake: Lake, *lines: dict[str, Any] | bytes, hours: int = 0, id_: str = "1") -> str:
    return write_raw_object(
        lake,
        received_at=HOUR + timedelta(hours=hours),
        source="web-eu",
        sortable_id=id_,
        ndjson=ndjson(*lines),
    )


def _rows(lake: Lake, objects: list[str]) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(io.BytesIO(lake.get(key))) for key in objects])


LINES = st.one_of(
    st.builds(
        event,
        st.sampled_from(["e1", "e2", "e3", "e4", "e5"]),
        st.sampled_from(["item_used", "item_viewed", "item_rated", "item_clicked"]),
        value=st.sampled_from([None, 1, 4.5, 20, 1e6, "much"]),
        device_type=st.sampled_from([None, "mobile", "fridge"]),
        received_at=st.sampled_from([None, "2026-03-01T10:05:00Z", "2026-03-01T10:06:00Z"]),
        properties=st.sampled_from([None, {"a": "b\n"}]),
    ),
    st.sampled_from([b"bad", b"", b"[]"]),
)


@examples(20)
@given(
    contents=st.lists(st.lists(LINES, max_size=5), min_size=1, max_size=5),
    cuts=st.sets(st.integers(1, 4)),
)
def test_a_value_does_not_depend_on_the_batch_that_it_came_in(
    contents: list[list[dict[str, Any] | bytes]], cuts: set[int]
) -> None:
    objects = [
        parsed(*lines, key=keys.raw_object(HOUR, "web", f"{number}"))
        for number, lines in enumerate(contents)
    ]
    edges = [0, *sorted(cut for cut in cuts if cut < len(objects)), len(objects)]
    batches = [objects[a:b] for a, b in pairwise(edges)]

    together = _clean(*objects)
    apart = [_clean(*batch) for batch in batches]

    for outcome in (together, *apart):
        parts = outcome.clean.height + outcome.quarantined.height + outcome.duplicates
        assert outcome.rows == parts
    lineage = ["raw_object", "raw_row"]
    rows = pl.concat([outcome.clean for outcome in apart])
    assert rows.sort(lineage).equals(together.clean.sort(lineage))
    rejected = pl.concat([outcome.quarantined for outcome in apart])
    assert rejected.sort(lineage).equals(together.quarantined.sort(lineage))


def test_quarantine_keeps_the_lines_own_bytes_with_reason_source_and_place(lake: Lake) -> None:
    cut = b'{"event_id": "cut'
    refused = json.dumps(event(event_type="item_rated", value=11)).encode() + b" \r"
    key = _land(lake, b"", cut, event(), refused)
    (manifest,) = clean_pending(
        lake, [key], default_rules(), [REFERENCE], ledger=Ledger.opened(lake)
    )

    rows = _rows(lake, manifest.quarantine_objects)

    assert rows.columns == [*QUARANTINE_SCHEMA, "batch_sequence"]
    assert rows.rows() == [
        (key, 1, HOUR, "web-eu", "malformed_json", None, cut, 1),
        (key, 3, HOUR, "web-eu", "out_of_range", "value", refused, 1),
    ]


def test_of_several_deliveries_the_earliest_received_wins() -> None:
    outcome = _clean(
        parsed(
            event("e", value=1, received_at="2026-03-01T10:30:00Z"),
            event("e", value=2, received_at="2026-03-01T10:20:00Z"),
            event("e", value=3, received_at="2026-03-01T10:20:00Z"),
        )
    )

    assert outcome.clean.select("value", "raw_row").rows() == [(2.0, 1)]
    assert outcome.duplicates == 2


def test_a_broken_delivery_does_not_stand_in_the_way_of_a_good_one() -> None:
    outcome = _clean(parsed(event("e", value="much"), event("e", value=2)))

    assert outcome.clean["raw_row"].to_list() == [1]
    assert (outcome.quarantined.height, outcome.duplicates) == (1, 0)


def test_objects_without_lines_make_an_empty_batch(lake: Lake) -> None:
    key = _land(lake)
    (manifest,) = clean_pending(
        lake, [key], default_rules(), [REFERENCE], ledger=Ledger.opened(lake)
    )

    assert (manifest.rows, manifest.clean_objects, manifest.quarantine_objects) == (0, [], [])
    assert pending_objects(lake) == []


def test_the_manifest_lists_what_was_written_and_adds_up(lake: Lake) -> None:
    landed = [
        _land(lake, event("a"), event("a"), b"bad"),
        _land(lake, event("b"), hours=24),
        _land(lake, b"bad", hours=48),
    ]
    (manifest,) = clean_pending(
        lake, landed, default_rules(), [REFERENCE], ledger=Ledger.opened(lake)
    )

    assert manifest == latest_manifest(lake)
    assert manifest.raw_objects == landed
    assert manifest.clean_objects == lake.list_keys("clean/events")
    assert manifest.quarantine_objects == lake.list_keys("quarantine/events")
    assert [str(keys.day_of(key)) for key in manifest.clean_objects] == ["2026-03-01", "2026-03-02"]
    rejected_days = [str(keys.day_of(key)) for key in manifest.quarantine_objects]
    assert rejected_days == ["2026-03-01", "2026-03-03"]
    assert (manifest.rows, manifest.clean) == (5, 2)
    assert (manifest.quarantined, manifest.duplicates) == (2, 1)
    assert _rows(lake, manifest.clean_objects)["event_id"].to_list() == ["a", "b"]


def test_a_batch_holds_one_reference_version(lake: Lake) -> None:
    later = replace(REFERENCE, version="later", effective_from=HOUR + timedelta(hours=1))
    landed = [_land(lake, event(f"e{hour}"), hours=hour) for hour in range(3)]
    seen: list[tuple[int, int]] = []

    manifests = clean_pending(
        lake,
        landed,
        default_rules(),
        [REFERENCE, later],
        ledger=Ledger.opened(lake),
        progress=lambda done, total: seen.append((done, total)),
    )

    assert [(m.reference_version, m.raw_objects) for m in manifests] == [
        ("by-hand", landed[:1]),
        ("later", landed[1:]),
    ]
    assert seen == [(1, 3), (3, 3)]


def test_much_to_clean_becomes_several_batches(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedback_platform.cleaning.micro_batch.BATCH_BYTES", 150)
    landed = [_land(lake, event(f"e{n}"), id_=f"{n}") for n in range(5)]

    manifests = clean_pending(
        lake, landed, default_rules(), [REFERENCE], ledger=Ledger.opened(lake)
    )

    assert len(manifests) == 3
    assert [key for manifest in manifests for key in manifest.raw_objects] == landed
    assert [manifest.sequence for manifest in manifests] == [1, 2, 3]


class LakeThatFailsOnce(Lake):
    """The real lake, but for one write that the store refuses."""

    def __init__(self, url: str, failing_write: int) -> None:
        super().__init__(url)
        self._writes_left = failing_write

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self._writes_left -= 1
        if self._writes_left == 0:
            raise LakeUnavailableError(f"no write to {key} today")
        super().put(key, data, mode=mode)


# Two days of clean rows, two of rejected ones, the manifest, the hint.
@pytest.mark.parametrize("failing_write", [1, 2, 3, 4, 5, 6])
def test_a_batch_counts_wholly_or_not_at_all_and_a_retry_completes_it(
    lake: Lake, failing_write: int
) -> None:
    for day in (0, 24):
        _land(lake, event(f"e{day}"), b"bad", hours=day)
    failing = LakeThatFailsOnce(lake.url, failing_write)

    def attempt() -> list[BatchManifest]:
        ledger = Ledger.opened(failing)
        pending = pending_objects(failing)
        return clean_pending(failing, pending, default_rules(), [REFERENCE], ledger=ledger)

    with pytest.raises(LakeUnavailableError):
        attempt()
    assert len(manifests_after(lake, 0)) == (1 if failing_write == 6 else 0)
    attempt()

    (manifest,) = manifests_after(lake, 0)
    assert (manifest.rows, manifest.clean, manifest.quarantined) == (4, 2, 2)
    assert _rows(lake, manifest.clean_objects)["event_id"].to_list() == ["e0", "e24"]
    assert _rows(lake, manifest.quarantine_objects).height == 2
    assert pending_objects(lake) == []


def test_the_cleaned_columns_are_those_of_the_warehouse(lake: Lake) -> None:
    from importlib.resources import files

    schema = files("feedback_platform.warehouse").joinpath("schema.sql").read_text()
    _, _, table = schema.partition("create table if not exists lake.clean_events (")
    names = [line.split()[0] for line in table.partition(");")[0].strip().splitlines()]
    (manifest,) = clean_pending(
        lake, [_land(lake, event())], default_rules(), [REFERENCE], ledger=Ledger.opened(lake)
    )

    assert sorted(_rows(lake, manifest.clean_objects).columns) == sorted(names)


def test_a_row_of_an_object_is_found_again_in_it(lake: Lake) -> None:
    key = _land(lake, b"", event("a"), b"bad", event("b"))
    (manifest,) = clean_pending(
        lake, [key], default_rules(), [REFERENCE], ledger=Ledger.opened(lake)
    )
    lines = ndjson(b"", event("a"), b"bad", event("b")).split(b"\n")

    for event_id, raw_object, row in (
        _rows(lake, manifest.clean_objects).select("event_id", "raw_object", "raw_row").iter_rows()
    ):
        assert raw_object == key
        assert json.loads(lines[row])["event_id"] == event_id
