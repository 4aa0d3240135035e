from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.cleaning.arithmetic import with_logarithm, with_normal_share

ANY = st.floats(allow_nan=False, allow_infinity=False)
POWERS = [2.0**exponent for exponent in range(1024)]


def _logarithms(values: list[float | None]) -> list[Any]:
    return _computed(with_logarithm, values)


def _shares(values: list[float | None]) -> list[Any]:
    return _computed(with_normal_share, values)


def _computed(curve: Any, values: list[float | None]) -> list[Any]:
    frame = nw.from_native(pl.LazyFrame({"x": values}, schema={"x": pl.Float64}))
    outcome = curve(frame, of="x", name="y").to_native().collect()
    assert outcome.columns == ["x", "y"]
    return list(outcome["y"])


@given(st.lists(ANY.map(abs), min_size=1))
def test_the_logarithm_is_that_of_one_plus_the_value(values: list[float]) -> None:
    expected = [math.log(1 + value) for value in values]

    assert _logarithms(list(values)) == pytest.approx(expected, rel=1e-15, abs=0)


def test_around_each_power_of_two_the_logarithm_is_right() -> None:
    values = [max(0.0, power * factor - 1) for power in POWERS for factor in (1 - 1e-15, 1, 1.5)]
    values = [value for value in values if value < math.inf]

    expected = [math.log(1 + value) for value in values]
    assert _logarithms(list(values)) == pytest.approx(expected, rel=1e-15, abs=0)


def test_below_zero_and_of_nothing_there_is_no_logarithm() -> None:
    assert _logarithms([0.0, -0.0, -1e-9, -1.0, -7.5, None]) == [0.0, 0.0, None, None, None, None]


@given(st.lists(ANY, min_size=1))
def test_the_share_is_that_of_the_normal_distribution(values: list[float]) -> None:
    expected = [NormalDist().cdf(value) for value in values]

    assert _shares(list(values)) == pytest.approx(expected, rel=0, abs=1.5e-7)


def test_the_share_is_one_half_in_the_middle_and_ends_at_zero_and_one() -> None:
    assert _shares([0.0, -0.0, -1e300, 1e300, None]) == [0.5, 0.5, 0.0, 1.0, None]
