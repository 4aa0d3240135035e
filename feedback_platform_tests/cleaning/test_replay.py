from __future__ import annotations

import io
import math
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.cleaning.configuration import default_rules, parse_rules
from feedback_platform.cleaning.processing import clean_new, refit_reference
from feedback_platform.cleaning.quarantine import QuarantineFilter, list_quarantine
from feedback_platform.cleaning.replay import ReplayOutcome, replay_quarantine
from feedback_platform.cleaning.reprocessing import reprocess
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping, load_mapping
from feedback_platform.lake.batches import (
    BatchConflictError,
    latest_manifest,
    manifests_after,
)
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.accounting import Account, account
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.cleaning.busy_lake import COMMITTING, READING, BusyLake
from feedback_platform_tests.cleaning.lines import HOUR, event, ndjson
from feedback_platform_tests.cleaning.test_received_lines import received, track
from feedback_platform_tests.seeds import examples

RULES = default_rules()
OWN = load_mapping(PROJECT_DIR / "docs" / "event-mapping.toml")
UNMAPPED = QuarantineFilter(reason="unmapped_event")


def land(lake: Lake, name: str, *lines: dict[str, Any] | bytes, hours: int = 0) -> str:
    return write_raw_object(
        lake,
        received_at=HOUR + timedelta(hours=hours),
        source="web",
        sortable_id=name,
        ndjson=ndjson(*lines),
    )


def clean(lake: Lake, mapping: EventMapping = DEFAULT_MAPPING) -> None:
    clean_new(lake, RULES, is_sweep=True, mapping=mapping)


def replay(
    lake: Lake,
    chosen: QuarantineFilter | None = None,
    mapping: EventMapping = OWN,
) -> ReplayOutcome:
    return replay_quarantine(lake, RULES, chosen or QuarantineFilter(), mapping=mapping)


def counted(lake: Lake) -> Account:
    latest = latest_manifest(lake)
    return account(lake, through=latest.sequence if latest else 0)


def counting_rows(lake: Lake) -> pl.DataFrame:
    """The clean rows that count, as a reader of the whole ledger finds them."""
    manifests = manifests_after(lake, 0)
    newest = {key: m.sequence for m in manifests for key in m.raw_objects}
    frames = [
        pl.read_parquet(io.BytesIO(lake.get(key))).filter(
            pl.col("raw_object").is_in([k for k in m.raw_objects if newest[k] == m.sequence])
        )
        for m in manifests
        for key in m.clean_objects
    ]
    rows = pl.concat(frames, how="diagonal") if frames else pl.DataFrame()
    return rows.drop("batch_sequence").sort("raw_object", "raw_row", "event_id") if frames else rows


def watched(film: str, message_id: str) -> bytes:
    return received(track("Film Watched", {"film": {"id": film}, "seconds": 1}, message_id))


def test_after_the_mapping_was_corrected_unmapped_events_become_clean(lake: Lake) -> None:
    land(lake, "a", watched("f", "m1"), event("e1"), b"bad")
    untouched = land(lake, "b", event("e2"), b"bad")
    clean(lake)
    assert counted(lake) == Account(received=5, events=2, quarantined=3)

    outcome = replay(lake, UNMAPPED)

    assert (outcome.replayed, outcome.now_clean, outcome.still_quarantined) == (1, 1, 0)
    (manifest,) = outcome.cleaning.manifests
    assert manifest.is_reprocessing
    assert untouched not in manifest.raw_objects
    assert (manifest.rows, manifest.clean, manifest.quarantined) == (3, 2, 1)
    assert counted(lake) == Account(received=5, events=3, quarantined=2)
    assert dict(list_quarantine(lake, QuarantineFilter()).counts.iter_rows()) == {
        "malformed_json": 2
    }


def test_a_replay_is_idempotent(lake: Lake) -> None:
    land(lake, "a", watched("f", "m1"), watched("", "m2"))
    clean(lake)

    first, second, third = replay(lake), replay(lake), replay(lake, UNMAPPED)

    assert (first.replayed, first.now_clean, first.still_quarantined) == (2, 1, 1)
    assert (second.replayed, second.now_clean, second.still_quarantined) == (1, 0, 1)
    assert (third.replayed, third.objects) == (0, 0)
    assert len(first.cleaning.manifests) == 1
    assert second.cleaning.manifests == third.cleaning.manifests == ()


def test_without_a_correction_nothing_is_committed(lake: Lake) -> None:
    land(lake, "a", watched("f", "m1"), event("e1"), b"bad", event("e1"))
    clean(lake)
    before = lake.list_keys("clean"), lake.list_keys("quarantine")

    outcome = replay(lake, mapping=DEFAULT_MAPPING)

    assert (outcome.replayed, outcome.now_clean, outcome.still_quarantined) == (2, 0, 2)
    assert outcome.cleaning.manifests == ()
    assert (lake.list_keys("clean"), lake.list_keys("quarantine")) == before


def test_an_empty_quarantine_has_nothing_to_replay(lake: Lake) -> None:
    assert replay(lake).replayed == 0
    land(lake, "a", event("e"))
    clean(lake)

    assert (replay(lake).objects, replay(lake).cleaning.manifests) == (0, ())


def test_only_what_is_meant_is_taken_again(lake: Lake) -> None:
    land(lake, "a", watched("f", "m1"))
    later = received(track("Film Watched", {"film": {"id": "f"}}, "m2"), received_at=None)
    land(lake, "b", later, hours=24)
    clean(lake)

    outcome = replay(lake, QuarantineFilter(last=HOUR.date()))

    assert (outcome.replayed, outcome.now_clean) == (1, 1)
    assert list_quarantine(lake, QuarantineFilter()).rows["raw"].to_list() == [later]


def test_a_line_that_turns_out_to_hold_several_events_still_balances(lake: Lake) -> None:
    shown = received(track("Shelf Shown", {"shelf": {"films": ["a", "b", {"x": 1}]}}, "m1"))
    land(lake, "a", shown, event("e"))
    clean(lake)
    assert counted(lake) == Account(received=2, events=1, quarantined=1)

    outcome = replay(lake)

    # Of the line something lies in quarantine still, though two of its events came in.
    assert (outcome.replayed, outcome.now_clean, outcome.still_quarantined) == (1, 0, 1)
    after = counted(lake)
    assert after == Account(received=4, events=3, quarantined=1)
    assert after.duplicates == 0


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param([[event("m1"), watched("f", "m1")]], id="behind it in its object"),
        pytest.param([[watched("f", "m1"), event("m1")]], id="before it in its object"),
        pytest.param([[event("m1")], [watched("f", "m1")]], id="in an earlier object"),
        pytest.param([[watched("f", "m1")], [event("m1")]], id="in a later object"),
    ],
)
def test_a_line_whose_event_is_there_already_is_a_duplicate(
    lake: Lake, objects: list[list[dict[str, Any] | bytes]]
) -> None:
    for number, lines in enumerate(objects):
        land(lake, f"{number}", *lines)
    clean(lake)

    outcome = replay(lake)

    assert (outcome.replayed, outcome.now_clean, outcome.duplicates) == (1, 0, 1)
    assert counted(lake) == Account(received=2, events=1, quarantined=0)
    assert replay(lake).replayed == 0


def test_of_several_deliveries_that_are_replayed_one_is_the_event(lake: Lake) -> None:
    land(lake, "a", watched("f", "m1"), watched("f", "m1"))
    land(lake, "b", watched("f", "m1"), watched("f", "m2"), watched("", "m3"))
    clean(lake)

    outcome = replay(lake)

    assert (outcome.replayed, outcome.now_clean) == (5, 2)
    assert (outcome.duplicates, outcome.still_quarantined) == (2, 1)
    assert counted(lake) == Account(received=5, events=2, quarantined=1)


def test_a_line_of_several_events_counts_once(lake: Lake) -> None:
    land(lake, "a", received(track("Shelf Shown", {"shelf": {"films": ["a", {}, {}]}}, "m1")))
    clean(lake, OWN)
    assert counted(lake) == Account(received=3, events=1, quarantined=2)

    outcome = replay(lake)

    assert (outcome.replayed, outcome.still_quarantined) == (1, 1)


def test_an_object_that_was_deleted_holds_up_no_other(lake: Lake) -> None:
    gone = land(lake, "a", watched("f", "m1"), watched("f", "m2"), event("e"))
    land(lake, "b", watched("f", "m3"))
    clean(lake)
    lake.delete([gone])

    outcome = replay(lake)

    assert (outcome.replayed, outcome.now_clean, outcome.unreadable) == (3, 1, 2)
    assert list(outcome.unreadable_objects) == [gone]
    assert "has no object" in outcome.unreadable_objects[gone]
    assert counted(lake) == Account(received=4, events=2, quarantined=2)
    again = replay(lake)
    assert (again.replayed, again.unreadable, again.cleaning.manifests) == (2, 2, ())


def test_of_an_object_that_was_damaged_since_what_was_made_of_it_stays(lake: Lake) -> None:
    damaged = land(lake, "a", watched("f", "m1"), event("e"))
    land(lake, "b", watched("f", "m2"))
    clean(lake)
    lake.put(damaged, lake.get(damaged)[:-5], mode="overwrite")

    outcome = replay(lake)

    assert (outcome.replayed, outcome.now_clean, outcome.unreadable) == (2, 1, 1)
    assert outcome.unreadable_objects == {damaged: f"The raw object {damaged} is damaged."}
    assert counting_rows(lake)["event_id"].to_list() == ["e", "m2"]
    assert counted(lake) == Account(received=3, events=2, quarantined=1)


def test_an_object_that_never_could_be_read_is_in_quarantine_still(lake: Lake) -> None:
    lake.put(land(lake, "a", event("e")), b"no zstd", mode="overwrite")
    clean(lake)

    outcome = replay(lake)

    assert (outcome.replayed, outcome.still_quarantined, outcome.unreadable) == (1, 1, 0)
    assert outcome.unreadable_objects == {}


def test_untouched_rows_keep_the_statistics_that_they_were_cleaned_with(lake: Lake) -> None:
    uses = [event(f"u{n}", "item_used", value=math.expm1(2)) for n in range(30)]
    land(lake, "a", *uses, event("missing", "item_used", value=None), watched("f", "m1"))
    clean(lake)
    land(lake, "b", *[event(f"v{n}", "item_used", value=9) for n in range(60)], hours=1)
    clean(lake)
    refit_reference(lake, RULES, now=HOUR + timedelta(hours=1))
    before = counting_rows(lake)

    replay(lake)

    after = counting_rows(lake)
    assert after.height == before.height + 1
    assert after.filter(pl.col("event_id") != "m1").equals(before)


def test_untouched_rows_keep_the_rules_that_they_were_cleaned_by(lake: Lake) -> None:
    land(lake, "a", event("u", "item_used", value=None), watched("f", "m1"))
    clean(lake)
    before = counting_rows(lake)
    other = parse_rules('[signals.use]\nevent_type = "item_used"\nimpute = 7', origin="test")

    unchanged = replay_quarantine(lake, other, QuarantineFilter(), mapping=DEFAULT_MAPPING)
    assert unchanged.cleaning.manifests == ()
    replay_quarantine(lake, other, QuarantineFilter(), mapping=OWN)

    after = counting_rows(lake)
    assert set(after["rules_version"]) == {RULES.version}
    assert after.filter(pl.col("event_id") != "m1").equals(before)


def test_also_where_they_were_reprocessed_with_newer_ones(lake: Lake) -> None:
    uses = [event(f"u{n}", "item_used", value=math.expm1(2)) for n in range(30)]
    land(lake, "a", *uses, event("missing", "item_used", value=None), watched("f", "m1"))
    clean(lake)
    land(lake, "b", *[event(f"v{n}", "item_used", value=9) for n in range(60)], hours=1)
    clean(lake)
    refitted = refit_reference(lake, RULES, now=HOUR + timedelta(hours=1))
    reprocess(lake, RULES, first=HOUR.date(), last=HOUR.date())
    before = counting_rows(lake)

    (manifest,) = replay(lake).cleaning.manifests

    assert manifest.reference_version == refitted.version
    assert counting_rows(lake).filter(pl.col("event_id") != "m1").equals(before)


def test_an_event_is_not_lost_whose_other_delivery_was_replaced(lake: Lake) -> None:
    """Object a held the event first; after a correction it holds another in its place."""
    line = received(track("Product Viewed", {"product_id": "p"}, "m1"))
    land(lake, "a", line, watched("f", "m2"))
    land(lake, "b", line, event("e"))
    clean(lake)
    assert counted(lake) == Account(received=4, events=2, quarantined=1)
    ignoring = EventMapping({**OWN.own, "productviewed": OWN.own["debugping"]})

    replay(lake, mapping=ignoring)

    # The delivery in b was never replayed, and stands as it was cleaned.
    assert counting_rows(lake).select("event_id").to_series().to_list() == ["m2", "m1", "e"]
    assert counted(lake) == Account(received=4, events=3, quarantined=1)


@pytest.mark.parametrize("moment", [READING, COMMITTING])
def test_a_batch_that_others_commit_meanwhile_is_no_hindrance(
    lake: Lake, moment: tuple[str, str]
) -> None:
    land(lake, "a", watched("f", "m1"))
    clean(lake)
    land(lake, "b", event("e"))

    assert replay(BusyLake(lake.url, moment, lambda: clean(lake))).now_clean == 1

    cleaned = [m.raw_objects[0].removesuffix(".ndjson.zst")[-1] for m in manifests_after(lake, 0)]
    assert cleaned == ["a", "b", "a"]


@pytest.mark.parametrize("moment", [READING, COMMITTING])
def test_an_object_that_others_cleaned_again_meanwhile_is_theirs(
    lake: Lake, moment: tuple[str, str]
) -> None:
    land(lake, "a", watched("f", "m1"))
    clean(lake)
    day = HOUR.date()
    busy = BusyLake(lake.url, moment, lambda: reprocess(lake, RULES, first=day, last=day))

    with pytest.raises(BatchConflictError):
        replay(busy)

    assert [manifest.sequence for manifest in manifests_after(lake, 0)] == [1, 2]
    assert replay(lake).now_clean == 1


def test_progress_counts_the_objects(lake: Lake) -> None:
    for hour in range(3):
        land(lake, f"{hour}", b"bad", hours=hour)
        clean(lake)
    seen: list[tuple[int, int]] = []

    replay_quarantine(
        lake,
        RULES,
        QuarantineFilter(),
        mapping=OWN,
        progress=lambda done, total: seen.append((done, total)),
    )

    assert seen == [(1, 3), (2, 3), (3, 3)]


SHELF = received(track("Shelf Shown", {"shelf": {"films": ["a", {}]}}, "m4"))
LINES = st.one_of(
    st.builds(watched, st.sampled_from(["f", ""]), st.sampled_from(["m1", "m2", "m3"])),
    st.builds(event, st.sampled_from(["e1", "m1"]), value=st.sampled_from([None, "much", 4])),
    st.sampled_from(
        [
            b"bad",
            SHELF,
            received(track("Never Mapped", {}, "m5")),
        ]
    ),
)


@examples(12)
@given(contents=st.lists(st.lists(LINES, max_size=4), min_size=1, max_size=3))
def test_a_replay_makes_what_the_corrected_mapping_would_have_made_at_once(
    contents: list[list[dict[str, Any] | bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        late, early = (Lake((Path(directory) / name).as_uri()) for name in ("late", "early"))
        for lake in (late, early):
            for number, lines in enumerate(contents):
                land(lake, f"{number}", *lines)
        clean(late)
        clean(early, OWN)
        before, known = counting_rows(late), counted(late)

        same = replay(late, mapping=DEFAULT_MAPPING)
        assert same.cleaning.manifests == ()
        assert counting_rows(late).equals(before)
        outcome = replay(late, UNMAPPED)
        assert outcome.replayed == sum(
            (outcome.now_clean, outcome.still_quarantined, outcome.duplicates, outcome.unreadable)
        )
        if not any(SHELF in lines for lines in contents):
            # Where a line is one event, what is clean now are those that were not there before.
            assert outcome.now_clean == counted(late).events - known.events

        assert counting_rows(late).equals(counting_rows(early))
        listings = [list_quarantine(lake, QuarantineFilter()).rows for lake in (late, early)]
        assert listings[0].equals(listings[1])
        assert counted(late) == counted(early)
        assert outcome.cleaning.rows >= outcome.replayed - outcome.still_quarantined
        assert replay(late, UNMAPPED).cleaning.manifests == ()
