"""The hash and the ranges are GrowthBook's.

The expectations are those that GrowthBook publishes for the makers of SDKs, `cases.json` of
specification 0.7.1.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.adjustment.flags.bucketing import Bucketing, bucket_ranges

HASHES = [
    ("", "a", 1, 0.22),
    ("", "b", 1, 0.077),
    ("b", "a", 1, 0.946),
    ("ef", "d", 1, 0.652),
    ("asdf", "8952klfjas09ujk", 1, 0.549),
    ("", "123", 1, 0.011),
    ("", '___)((*":&', 1, 0.563),
    ("seed", "a", 2, 0.0505),
    ("seed", "b", 2, 0.2696),
    ("foo", "ab", 2, 0.2575),
    ("foo", "def", 2, 0.2019),
    ("89123klj", "8952klfjas09ujkasdf", 2, 0.124),
    ("90850943850283058242805", "123", 2, 0.7516),
    ("()**(%$##$%#$#", '___)((*":&', 2, 0.0128),
]
RANGES = [
    ([0.5, 0.5], 1, [(0, 0.5), (0.5, 1)]),
    ([0.5, 0.5], 0.5, [(0, 0.25), (0.5, 0.75)]),
    ([0.5, 0.5], 0, [(0, 0), (0.5, 0.5)]),
    ([0.25] * 4, 1, [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]),
    ([0.4, 0.6], 1, [(0, 0.4), (0.4, 1)]),
    ([0.2, 0.3, 0.5], 1, [(0, 0.2), (0.2, 0.5), (0.5, 1)]),
    ([0.2, 0.3, 0.5], 0.2, [(0, 0.04), (0.2, 0.26), (0.5, 0.6)]),
    ([0.4, 0.5999], 1, [(0, 0.4), (0.4, 0.9999)]),
]


@pytest.mark.parametrize(("seed", "value", "version", "place"), HASHES)
def test_a_value_stands_where_growthbook_puts_it(
    seed: str, value: str, version: int, place: float
) -> None:
    assert Bucketing(seed, version).place(value) == place


@pytest.mark.parametrize(("weights", "coverage", "ranges"), RANGES)
def test_the_parts_of_a_split_are_those_of_growthbook(
    weights: list[float], coverage: float, ranges: list[tuple[float, float]]
) -> None:
    found = bucket_ranges(weights, coverage)
    assert [bound for each in found for bound in each] == pytest.approx(
        [bound for each in ranges for bound in each]
    )


def javascript_hash(text: str) -> int:
    """The hash as JavaScript has it, over the halves of surrogate pairs, written out anew."""
    state = 2166136261
    units = text.encode("utf-16-be", "surrogatepass")
    for high, low in zip(units[::2], units[1::2], strict=True):
        state ^= high * 256 + low
        state += (state << 1) + (state << 4) + (state << 7) + (state << 8) + (state << 24)
        state %= 2**32
    return state


@given(seed=st.text(max_size=20), value=st.text(max_size=40))
def test_any_text_has_the_place_that_a_browser_computes(seed: str, value: str) -> None:
    second = javascript_hash(str(javascript_hash(seed + value))) % 10_000 / 10_000
    assert Bucketing(seed).place(value) == second
    assert Bucketing(seed, 1).place(value) == javascript_hash(value + seed) % 1000 / 1000
