from __future__ import annotations

from datetime import UTC, datetime, timedelta

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import (
    NOBODY,
    Identity,
    IdentityKind,
    add_tombstones,
    load_tombstones,
    merge_tombstones,
    microseconds,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Identity(IdentityKind.USER, "ada")
PHONE = Identity(IdentityKind.DEVICE, "phone")


def test_nobody_is_erased_at_first(any_lake: Lake) -> None:
    assert load_tombstones(any_lake) == NOBODY
    assert not load_tombstones(any_lake)


def test_who_was_erased_is_known_with_the_instant(any_lake: Lake) -> None:
    add_tombstones(any_lake, "r1", [ADA, PHONE], NOON)

    found = load_tombstones(any_lake)

    assert found.instant_of(IdentityKind.USER, "ada") == microseconds(NOON)
    assert found.instant_of(IdentityKind.DEVICE, "phone") == microseconds(NOON)
    assert found.instant_of(IdentityKind.DEVICE, "ada") is None
    assert found.instant_of(IdentityKind.USER, "bob") is None


def test_the_latest_erasure_of_an_identity_counts(any_lake: Lake) -> None:
    add_tombstones(any_lake, "r2", [ADA], NOON + timedelta(days=1))
    add_tombstones(any_lake, "r1", [ADA], NOON)

    found = load_tombstones(any_lake).instant_of(IdentityKind.USER, "ada")

    assert found == microseconds(NOON + timedelta(days=1))


def test_carrying_a_request_out_again_loses_nobody(any_lake: Lake) -> None:
    add_tombstones(any_lake, "r1", [ADA, PHONE], NOON)

    # The second attempt finds no device of hers any more.
    add_tombstones(any_lake, "r1", [ADA], NOON)

    assert load_tombstones(any_lake).instant_of(IdentityKind.DEVICE, "phone") is not None


def test_the_list_names_nobody_and_says_nothing_about_another_lake(any_lake: Lake) -> None:
    add_tombstones(any_lake, "r1", [ADA], NOON)

    (first,) = any_lake.list_keys(keys.TOMBSTONES)
    stored = any_lake.get(first)
    before = any_lake.get(keys.TOMBSTONE_KEY)
    any_lake.delete([keys.TOMBSTONE_KEY, first])
    add_tombstones(any_lake, "r1", [ADA], NOON)

    assert b"ada" not in stored
    assert any_lake.get(keys.TOMBSTONE_KEY) != before
    (second,) = any_lake.list_keys(keys.TOMBSTONES)
    assert any_lake.get(second) != stored


def test_merged_tombstones_are_one_object_that_says_the_same(any_lake: Lake) -> None:
    add_tombstones(any_lake, "r1", [ADA, PHONE], NOON)
    add_tombstones(any_lake, "r2", [ADA], NOON + timedelta(days=1))
    before = load_tombstones(any_lake)

    merge_tombstones(any_lake)
    merge_tombstones(any_lake)

    assert len(any_lake.list_keys(keys.TOMBSTONES)) == 1
    assert load_tombstones(any_lake) == before


class MergingLake(Lake):
    """A lake in which somebody merges the list just when it was listed."""

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        listed = super().list_keys(prefix, after=after)
        if prefix == keys.TOMBSTONES and len(listed) > 1:
            merge_tombstones(Lake(self.url))
        return listed


def test_who_reads_while_the_list_is_merged_misses_nobody(any_lake: Lake) -> None:
    add_tombstones(any_lake, "r1", [ADA], NOON)
    add_tombstones(any_lake, "r2", [PHONE], NOON)

    assert len(load_tombstones(MergingLake(any_lake.url)).instants) == 2


class AddingLake(Lake):
    """A lake in which a request is carried out again just before a merge deletes what it read."""

    def delete(self, keys: list[str]) -> None:
        add_tombstones(Lake(self.url), "r1", [PHONE], NOON)
        super().delete(keys)


def test_a_merge_takes_away_only_what_it_has_read(any_lake: Lake) -> None:
    add_tombstones(any_lake, "r1", [ADA], NOON)
    add_tombstones(any_lake, "r2", [ADA], NOON)

    merge_tombstones(AddingLake(any_lake.url))

    found = load_tombstones(any_lake)
    assert found.instant_of(IdentityKind.DEVICE, "phone") == microseconds(NOON)
