"""A backlog that is drained in portions: each run is bounded, and nothing is left out or twice."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.cleaning import micro_batch
from feedback_platform.cleaning.configuration import CleaningRules, default_rules
from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.engines.port import CleanedObjects, Engine
from feedback_platform.cleaning.micro_batch import Portion
from feedback_platform.cleaning.processing import CleaningOutcome, clean_new
from feedback_platform.cleaning.reference import Reference, save_reference
from feedback_platform.errors import LakeUnavailableError
from feedback_platform.events import columns as c
from feedback_platform.events.translation.mapping import EventMapping
from feedback_platform.lake import keys
from feedback_platform.lake.batches import manifests_after, pending_objects
from feedback_platform.lake.raw import announce_backfill, write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import NOBODY, Tombstones
from feedback_platform_tests.cleaning.lines import HOUR, REFERENCE, event, ndjson

ALL = Portion(objects=1_000, size=1 << 30)
SIZE_OF_ONE = len(ndjson(event("e00")))


def land(lake: Lake, number: int, *, hours: int = 0, is_firehose: bool = False) -> str:
    """An object with one event, received so many hours after ten o'clock."""
    content, received_at = ndjson(event(f"e{number:02}")), HOUR + timedelta(hours=hours)
    if not is_firehose:
        return write_raw_object(
            lake,
            received_at=received_at,
            source="web",
            sortable_id=f"{number:06}",
            ndjson=content,
        )
    key = f"{keys.FIREHOSE}/{received_at:%Y/%m/%d/%H}/feedback-{number:06}.gz"
    lake.put(key, gzip.compress(content), mode="create")
    return key


@dataclass(frozen=True)
class Read:
    """An object that was read, and that nobody parses: cleaning takes most of the time."""

    key: str
    size: int = SIZE_OF_ONE
    is_unreadable: bool = False


class Sorter:
    """An engine that makes nothing of objects but the record that it had them."""

    def read(self, lake: Lake, key: str, mapping: EventMapping, *, is_listed: bool = False) -> Read:
        assert is_listed
        assert mapping
        assert lake.find(key) is not None
        return Read(key)

    def parse(self, objects: list[Read]) -> list[Read]:
        return objects

    def clean(
        self,
        objects: list[Read],
        rules: CleaningRules,
        reference: Reference,
        tombstones: Tombstones = NOBODY,
    ) -> CleanedObjects:
        del rules, reference, tombstones
        none = [0] * len(objects)
        nothing = pl.DataFrame(schema={c.RAW_OBJECT: pl.String})
        return CleanedObjects(none, nothing, nothing, 0, none)


def clean(
    lake: Lake,
    portion: Portion | None,
    *,
    is_sweep: bool = False,
    engine: Engine[Any, Any] = POLARS,
) -> CleaningOutcome:
    return clean_new(lake, default_rules(), is_sweep=is_sweep, portion=portion, engine=engine)


def cleaned(lake: Lake) -> list[str]:
    """The raw objects of all batches, in the order in which they were cleaned."""
    return [key for manifest in manifests_after(lake, 0) for key in manifest.raw_objects]


@settings(max_examples=15)
@given(
    landings=st.lists(
        st.lists(st.tuples(st.integers(-72, 72), st.booleans()), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    ),
    objects=st.integers(1, 4),
    size=st.integers(1, 5 * SIZE_OF_ONE),
)
def test_whatever_lands_in_whatever_order_is_cleaned_once_by_bounded_runs(
    tmp_path_factory: pytest.TempPathFactory,
    landings: list[list[tuple[int, bool]]],
    objects: int,
    size: int,
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake").as_uri())
    save_reference(lake, REFERENCE)
    portion = Portion(objects=objects, size=size)
    landed: list[str] = []
    runs = 0
    for together in landings:
        for hours, is_firehose in together:
            key = land(lake, len(landed), hours=hours, is_firehose=is_firehose)
            # Whoever writes behind the newest hours says so, as importers do.
            announce_backfill(lake, "test")
            landed.append(key)
        outcome = clean(lake, portion, engine=Sorter())
        runs += 1
        assert 1 <= outcome.objects <= min(objects, -(-size // SIZE_OF_ONE))
    while pending_objects(lake):
        assert clean(lake, portion, engine=Sorter()).objects >= 1
        runs += 1
    assert runs <= len(landed) + len(landings)
    assert sorted(cleaned(lake)) == sorted(landed)
    assert clean(lake, portion, engine=Sorter()).manifests == ()


def test_a_portion_ends_with_the_object_that_makes_it_full(lake: Lake) -> None:
    landed = [land(lake, number) for number in range(5)]

    by_size = clean(lake, Portion(objects=5, size=SIZE_OF_ONE + 1))
    by_objects = clean(lake, Portion(objects=1, size=1 << 20))

    assert (by_size.objects, by_size.remaining) == (2, 3)
    assert (by_objects.objects, by_objects.remaining) == (1, 2)
    assert cleaned(lake) == landed[:3]
    rest = clean(lake, ALL)
    assert (rest.objects, rest.remaining) == (2, 0)


def test_an_object_beyond_any_portion_is_a_run_of_its_own(lake: Lake) -> None:
    landed = [land(lake, number) for number in range(2)]

    assert clean(lake, Portion(objects=9, size=1)).objects == 1
    assert cleaned(lake) == landed[:1]


def test_nothing_is_read_that_a_portion_does_not_take(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed = [land(lake, number) for number in range(3)]
    # The first reference statistics are fitted on more than a portion.
    clean(lake, Portion(objects=1, size=1 << 20))
    read: list[str] = []
    get = Lake.get

    def noted(self: Lake, key: str) -> bytes:
        read.append(key)
        return get(self, key)

    monkeypatch.setattr(Lake, "get", noted)
    clean(lake, Portion(objects=1, size=1 << 20))

    assert [key for key in read if keys.is_raw_object(key)] == landed[1:2]


def test_of_two_writers_the_earlier_hours_come_first_wherever_they_lie(lake: Lake) -> None:
    late = land(lake, 0, hours=12)
    early = land(lake, 1, hours=0, is_firehose=True)

    clean(lake, Portion(objects=1, size=1 << 20))

    # The other way round it would lie behind the newest hour, where only a sweep looks.
    assert cleaned(lake) == [early]
    assert pending_objects(lake) == [late]


def test_what_a_sweep_leaves_is_found_by_runs_that_do_not_sweep(lake: Lake) -> None:
    newest = land(lake, 0, hours=48)
    clean(lake, ALL)
    behind = [land(lake, number, hours=number) for number in (1, 2, 3)]
    assert pending_objects(lake) == []

    clean(lake, Portion(objects=1, size=1 << 20), is_sweep=True)

    assert pending_objects(lake) == behind[1:]
    clean(lake, ALL)
    assert cleaned(lake) == [newest, *behind]
    assert lake.list_keys(keys.BACKFILLS) == []


def test_a_sweep_that_died_is_taken_up_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    land(lake, 0, hours=48)
    clean(lake, ALL)
    behind = land(lake, 1)

    def fail(*_: object, **__: object) -> None:
        raise LakeUnavailableError("no write today")

    with monkeypatch.context() as patch:
        patch.setattr("feedback_platform.cleaning.micro_batch.store_batch", fail)
        with pytest.raises(LakeUnavailableError):
            clean(lake, ALL, is_sweep=True)

    assert pending_objects(lake) == [behind]
    assert clean(lake, ALL).objects == 1


def test_what_is_announced_while_a_run_cleans_is_found_by_the_next(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed = [land(lake, 0, hours=48), land(lake, 1)]
    announce_backfill(lake, "stream")
    store = micro_batch.store_batch

    def stored_while_another_lands(*given: Any, **named: Any) -> Any:
        landed.append(land(lake, 2))
        announce_backfill(lake, "stream")
        return store(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(micro_batch, "store_batch", stored_while_another_lands)
        assert clean(lake, ALL).objects == 2

    assert pending_objects(lake) == landed[2:]
