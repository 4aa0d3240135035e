from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from feedback_platform.lake import keys
from feedback_platform.lake.seen import SeenObjects

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

numbered = st.builds(
    lambda hour, writer, number: keys.raw_object(
        NOON + timedelta(hours=hour), f"collector-{writer}", f"{number:010d}"
    ),
    st.integers(0, 2),
    st.sampled_from(["a", "b1"]),
    st.integers(0, 30),
)
named = st.builds(
    lambda hour, name: keys.raw_object(NOON + timedelta(hours=hour), "import", name),
    st.integers(0, 2),
    st.from_regex(r"[a-z0-9]{1,14}", fullmatch=True),
)
key_sets = st.sets(numbered | named, max_size=40)


def _key(number: int, hour: int = 0) -> str:
    return keys.raw_object(NOON + timedelta(hours=hour), "collector-a", f"{number:010d}")


def _short(name: str) -> str:
    return keys.raw_object(NOON, "import", name)


@given(key_sets, key_sets)
def test_a_key_has_a_run_exactly_when_it_was_seen(ones: set[str], others: set[str]) -> None:
    seen = SeenObjects.of(ones)

    assert {key for key in ones | others if seen.run_end(key) is not None} == ones


@given(key_sets)
@example({_short("0"), _short("1")})
def test_a_run_ends_at_the_last_key_without_a_gap(ones: set[str]) -> None:
    seen = SeenObjects.of(ones)

    for key in ones:
        end = seen.run_end(key)
        assert end in ones
        assert end >= key
        assert _keys_between(key, end) <= ones


@given(key_sets, key_sets)
def test_joining_is_the_set_of_both(ones: set[str], others: set[str]) -> None:
    assert SeenObjects.of(ones).joined(SeenObjects.of(others)) == SeenObjects.of(ones | others)


@given(key_sets)
def test_what_is_written_as_json_is_read_back(ones: set[str]) -> None:
    seen = SeenObjects.of(ones)

    assert SeenObjects.from_json(json.loads(json.dumps(seen.to_json()))) == seen


@given(key_sets, st.integers(0, 3))
def test_what_is_older_than_an_hour_is_forgotten(ones: set[str], hour: int) -> None:
    since = NOON + timedelta(hours=hour)

    kept = {key for key in ones if keys.hour_of(key) >= since}
    assert SeenObjects.of(ones).since(since) == SeenObjects.of(kept)


def test_an_hour_of_one_collector_is_one_range() -> None:
    content = json.dumps(SeenObjects.of(_key(number) for number in range(15_000)).to_json())

    assert len(content) < 120


def test_numbers_of_another_width_are_another_series() -> None:
    wide = keys.raw_object(NOON, "collector-a", "00000000002")
    seen = SeenObjects.of([_key(1), wide])

    assert seen.run_end(_key(1)) == _key(1)
    assert seen.run_end(_key(2)) is None


def _keys_between(first: str, last: str) -> set[str]:
    """The numbered keys from one to another of the same series; one that has no number is alone."""
    if first == last:
        return {first}
    prefix, _, name = first.rpartition("-")
    begin, end = (key.rpartition("-")[2].removesuffix(".ndjson.zst") for key in (first, last))
    suffix = name.removeprefix(begin)
    return {
        f"{prefix}-{number:0{len(begin)}d}{suffix}" for number in range(int(begin), int(end) + 1)
    }
