from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.backends import get_backend

from feedback_platform.lake import keys
from feedback_platform.lake.batches import (
    BatchConflictError,
    BatchManifest,
    ErasedMeanwhileError,
    Ledger,
    check_nobody_erased_since,
    latest_manifest,
    manifests_after,
    mark_erasure,
    pending_objects,
    read_manifest,
)
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.seen import SeenObjects
from feedback_platform.lake.store import Lake
from feedback_platform_tests.lake.gcs_server import GcsServer
from feedback_platform_tests.services.s3_server import BUCKET

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HINT = "clean/latest.json"


def _land(lake: Lake, hours: float, id_: str = "1") -> str:
    received_at = NOON + timedelta(hours=hours)
    return write_raw_object(
        lake, received_at=received_at, source="web", sortable_id=id_, ndjson=b"{}"
    )


def _land_key(hours: float, id_: str = "1") -> str:
    return keys.raw_object(NOON + timedelta(hours=hours), "web", id_)


def _process(lake: Lake, raw_objects: list[str]) -> BatchManifest:
    """Commit a batch of these objects, as cleaning does."""
    ledger = Ledger.opened(lake)
    manifest = _next(ledger, raw_objects)
    assert ledger.commit(manifest)
    return manifest


def _next(ledger: Ledger, raw_objects: list[str]) -> BatchManifest:
    sequence, newest_hour, recent = ledger.next_batch(raw_objects)
    return BatchManifest(
        sequence=sequence,
        raw_objects=raw_objects,
        clean_objects=[],
        quarantine_objects=[],
        rows=0,
        clean=0,
        quarantined=0,
        duplicates=0,
        reference_version="",
        is_reprocessing=False,
        newest_hour=newest_hour.isoformat(),
        recent_objects=recent,
        object_rows=[0] * len(raw_objects),
    )


def test_before_the_first_batch_everything_is_pending(any_lake: Lake) -> None:
    landed = [_land(any_lake, -1000), _land(any_lake, 0)]

    assert latest_manifest(any_lake) is None
    assert pending_objects(any_lake) == landed
    assert pending_objects(any_lake, is_sweep=True) == landed


def test_pending_is_only_what_is_new(any_lake: Lake) -> None:
    _process(any_lake, [_land(any_lake, -1), _land(any_lake, 0)])
    assert pending_objects(any_lake) == []

    new = [_land(any_lake, 0, "2"), _land(any_lake, 1)]

    assert pending_objects(any_lake) == new
    _process(any_lake, new)
    assert pending_objects(any_lake) == []
    assert pending_objects(any_lake, is_sweep=True) == []


def test_an_object_that_lands_behind_within_the_overlap_is_found(lake: Lake) -> None:
    _process(lake, [_land(lake, 0)])

    behind = _land(lake, -2, "late")

    assert pending_objects(lake) == [behind]
    _process(lake, [behind])
    assert pending_objects(lake) == []


def test_an_object_that_lands_later_than_the_overlap_is_found_by_a_sweep(lake: Lake) -> None:
    _process(lake, [_land(lake, 0)])

    behind = _land(lake, -3, "late")

    assert pending_objects(lake) == []
    assert pending_objects(lake, is_sweep=True) == [behind]
    _process(lake, [behind])
    assert pending_objects(lake, is_sweep=True) == []


def test_a_gap_in_a_numbered_series_is_found_when_it_fills(any_lake: Lake) -> None:
    landed = [_land(any_lake, 0, f"{number:010d}") for number in (1, 2, 4, 5)]
    _process(any_lake, landed)

    behind = _land(any_lake, 0, f"{3:010d}")
    ahead = _land(any_lake, 0, f"{6:010d}")

    assert pending_objects(any_lake) == [behind, ahead]
    _process(any_lake, [behind, ahead])
    assert pending_objects(any_lake) == []


def test_a_listing_of_thousands_of_seen_objects_asks_for_one_page(
    s3_lake_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(s3_lake_url)
    seen = [_land_key(0, f"{number:010d}") for number in range(2_500)]
    # Past HTTP, which takes the server milliseconds for each.
    server = get_backend("s3")["123456789012"]["global"]
    for key in seen:
        server.put_object(BUCKET, f"{urlsplit(lake.url).path[1:]}/{key}", b"")
    _process(lake, seen)
    new = _land(lake, 0, f"{2_500:010d}")
    asked: list[str] = []
    list_page = Lake.list_page

    def counted(self: Lake, prefix: str, *, after: str) -> tuple[list[str], bool]:
        asked.append(after)
        return list_page(self, prefix, after=after)

    monkeypatch.setattr(Lake, "list_page", counted)

    assert pending_objects(lake) == [new]
    # The first page shows a seen run, the second begins behind its end.
    assert len(asked) == 2


def test_the_manifest_remembers_no_more_than_the_overlap(lake: Lake) -> None:
    for hour in range(48):
        manifest = _process(lake, [_land(lake, hour)])

    assert manifest.sequence == 48
    assert manifest.recent_objects == SeenObjects.of(_land_key(hour) for hour in (45, 46, 47))


def test_a_manifest_is_read_as_it_was_committed(any_lake: Lake) -> None:
    first = _process(any_lake, [_land(any_lake, 0)])
    second = _process(any_lake, [_land(any_lake, 1)])

    assert read_manifest(any_lake, 1) == first
    assert latest_manifest(any_lake) == second
    assert manifests_after(any_lake, 0) == [first, second]
    assert manifests_after(any_lake, 1) == [second]
    assert manifests_after(any_lake, 2) == []


def test_the_same_sequence_is_committed_once(any_lake: Lake) -> None:
    late = Ledger.opened(any_lake)
    first = _process(any_lake, [_land(any_lake, 0)])

    assert not late.commit(replace(first, rows=7))

    assert latest_manifest(any_lake) == first


def test_a_batch_follows_what_others_committed_meanwhile(any_lake: Lake) -> None:
    ledger = Ledger.opened(any_lake)
    mine, theirs = _land(any_lake, 0), _land(any_lake, 1)
    beaten = _next(ledger, [mine])
    _process(any_lake, [theirs])
    assert not ledger.commit(beaten)

    following = _next(ledger, [mine])

    assert ledger.commit(following)
    assert following.sequence == 2
    assert following.recent_objects == SeenObjects.of([mine, theirs])


def test_an_object_that_others_cleaned_since_the_ledger_was_opened_is_theirs(
    any_lake: Lake,
) -> None:
    ledger = Ledger.opened(any_lake)
    mine, contested = _land(any_lake, 0), _land(any_lake, 1)
    _process(any_lake, [contested])
    # Another object in between does not make it forget what it has not seen.
    assert ledger.commit(_next(ledger, [mine]))

    with pytest.raises(BatchConflictError, match=rf"cleaned {contested} meanwhile, in batch 1"):
        ledger.next_batch([contested])

    assert Ledger.opened(any_lake).next_batch([contested])[0] == 3


def test_what_was_cleaned_before_the_ledger_was_opened_may_be_replaced(lake: Lake) -> None:
    landed = [_land(lake, 0)]
    _process(lake, landed)
    _process(lake, landed)

    assert [manifest.raw_objects for manifest in manifests_after(lake, 0)] == [landed, landed]


def test_a_commit_whose_answer_was_lost_is_not_somebody_else_s(
    gcs: GcsServer, gcs_lake: Lake
) -> None:
    landed = _land(gcs_lake, 0)
    gcs.lost_answers = 1

    manifest = _process(gcs_lake, [landed])

    assert gcs.lost_answers == 0
    assert latest_manifest(gcs_lake) == manifest


@pytest.mark.parametrize("hint", [None, b'{"sequence": 1}', b'{"sequence": 3}'])
def test_a_lost_or_stale_hint_still_finds_the_latest(any_lake: Lake, hint: bytes | None) -> None:
    for hour in range(4):
        newest = _process(any_lake, [_land(any_lake, hour)])
    any_lake.delete([HINT])
    if hint is not None:
        any_lake.put(HINT, hint, mode="create")

    assert latest_manifest(any_lake) == newest


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("land"), st.integers(-72, 72)),
            st.tuples(st.just("batch"), st.integers(1, 4)),
            st.tuples(st.just("sweep"), st.integers(1, 4)),
            st.tuples(st.just("lose hint"), st.just(0)),
        ),
        max_size=16,
    )
)
def test_any_interleaving_processes_each_object_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake").as_uri())
    landed: list[str] = []
    for number, (step, argument) in enumerate(steps):
        match step:
            case "land":
                landed.append(_land(lake, argument, f"{number}"))
            case "lose hint":
                lake.delete([HINT])
            case _:
                # A batch may be cut short, as a long list of objects is.
                pending = pending_objects(lake, is_sweep=step == "sweep")[:argument]
                if pending:
                    _process(lake, pending)
    rest = pending_objects(lake, is_sweep=True)
    if rest:
        _process(lake, rest)

    processed = [key for batch in manifests_after(lake, 0) for key in batch.raw_objects]
    assert sorted(processed) == sorted(landed)
    assert pending_objects(lake) == []


def test_what_was_begun_before_an_erasure_is_not_committed_behind_it(any_lake: Lake) -> None:
    _process(any_lake, [_land(any_lake, -1)])
    cleaner = Ledger.opened(any_lake)
    landed = _land(any_lake, 0)

    assert mark_erasure(any_lake) == 2

    with pytest.raises(ErasedMeanwhileError, match="erased meanwhile, in batch 2"):
        _next(cleaner, [landed])
    assert _process(any_lake, [landed]).sequence == 3


def test_an_erasure_hides_no_object_from_the_next_listing(any_lake: Lake) -> None:
    mark_erasure(any_lake)
    landed = [_land(any_lake, -1000), _land(any_lake, 0)]

    assert pending_objects(any_lake) == landed


def test_data_from_before_an_erasure_are_told_from_later_ones(any_lake: Lake) -> None:
    _process(any_lake, [_land(any_lake, 0)])
    mark_erasure(any_lake)

    with pytest.raises(ErasedMeanwhileError):
        check_nobody_erased_since(any_lake, 1)
    check_nobody_erased_since(any_lake, 2)
    check_nobody_erased_since(any_lake, None)
