from __future__ import annotations

import gzip

import pytest
import zstandard

from feedback_platform.cleaning.erased_lines import erased_line
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake import keys
from feedback_platform.lake.raw import read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import (
    Identity,
    IdentityKind,
    Tombstones,
    add_tombstones,
    load_tombstones,
)
from feedback_platform.privacy.raw_lines import ErasedLines, erase_raw_lines
from feedback_platform_tests.privacy.people import (
    HANDED_OVER,
    LEAVING,
    LINES,
    OWN_PHONE,
    RECEIVED,
    THEIR_TABLET,
    land,
    lines,
)

FIREHOSE = f"{keys.FIREHOSE}/2026/01/08/12/stream-1"


@pytest.fixture
def tombstones(lake: Lake) -> Tombstones:
    who = [Identity(IdentityKind.USER, LEAVING)]
    devices = (OWN_PHONE, HANDED_OVER, THEIR_TABLET)
    who += [Identity(IdentityKind.DEVICE, name) for name in devices]
    add_tombstones(lake, "r1", who, RECEIVED.replace(day=20))
    return load_tombstones(lake)


def erase(lake: Lake, tombstones: Tombstones, *objects: str) -> ErasedLines:
    return erase_raw_lines(lake, list(objects), tombstones, DEFAULT_MAPPING)


def test_their_lines_become_marks_and_all_others_stay_where_they_are(
    lake: Lake, tombstones: Tombstones
) -> None:
    own, firehose = land(lake)

    outcome = erase(lake, tombstones, own, firehose)

    expected = [
        erased_line(1) if is_leaving else line
        for line, (_, is_leaving) in zip(lines(), LINES, strict=True)
    ]
    assert read_raw_object(lake, own).split(b"\n") == expected
    theirs = sum(is_leaving for _, is_leaving in LINES)
    assert (outcome.looked_at, outcome.rewritten, outcome.removed) == (2, 2, 2 * theirs)
    assert LEAVING.encode() not in read_raw_object(lake, firehose)


def test_a_second_pass_changes_nothing_and_knows_what_the_first_took(
    lake: Lake, tombstones: Tombstones
) -> None:
    objects = land(lake)
    first = erase(lake, tombstones, *objects)
    before = [lake.get(key) for key in objects]

    second = erase(lake, tombstones, *objects)

    assert [lake.get(key) for key in objects] == before
    assert (second.rewritten, second.removed) == (0, 0)
    assert second.lines.equals(first.lines)


def test_what_was_gzipped_stays_gzipped(lake: Lake, tombstones: Tombstones) -> None:
    lake.put(FIREHOSE, gzip.compress(b"\n".join(lines())), mode="create")

    assert erase(lake, tombstones, FIREHOSE).rewritten == 1
    assert LEAVING.encode() not in gzip.decompress(lake.get(FIREHOSE))


def test_of_an_object_that_was_cut_short_nothing_of_theirs_is_left(
    lake: Lake, tombstones: Tombstones
) -> None:
    whole = zstandard.compress(b"\n".join(lines()) * 100)
    key = keys.raw_object(RECEIVED, "web", "cut")
    lake.put(key, whole[:-20], mode="create")
    foreign = keys.raw_object(RECEIVED, "web", "foreign")
    lake.put(foreign, b"no object at all", mode="create")

    outcome = erase(lake, tombstones, key, foreign)

    assert outcome.rewritten == 1
    assert read_raw_object(lake, key) == erased_line(1)
    assert lake.get(foreign) == b"no object at all"


def test_an_object_that_is_gone_is_passed_over(lake: Lake, tombstones: Tombstones) -> None:
    assert erase(lake, tombstones, keys.raw_object(RECEIVED, "web", "gone")).looked_at == 0
