from __future__ import annotations

from itertools import pairwise
from math import log2

from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.warehouse.layered import (
    SHARE_OF_BASE,
    SMALL_ROWS,
    is_worth_layers,
    layers_taken_up,
)


def test_a_small_table_is_written_whole() -> None:
    assert not is_worth_layers(SMALL_ROWS, [], 1)
    assert is_worth_layers(SMALL_ROWS + 1, [], 1)


def test_layers_that_have_grown_large_beside_the_base_are_given_up() -> None:
    base = SHARE_OF_BASE * 100_000

    assert is_worth_layers(base, [60_000, 30_000], 10_000)
    assert not is_worth_layers(base, [60_000, 30_000], 10_001)


def test_a_layer_much_smaller_than_the_one_before_stays_for_itself() -> None:
    assert layers_taken_up([], 10) == 0
    assert layers_taken_up([1000, 100], 49) == 0


def test_a_layer_at_least_half_as_large_takes_up_the_one_before() -> None:
    assert layers_taken_up([1000, 100], 50) == 1


def test_what_has_been_taken_up_counts_for_the_next() -> None:
    assert layers_taken_up([1000, 300, 100], 50) == 2
    assert layers_taken_up([900, 300, 100], 50) == 3


@given(st.lists(st.integers(1, 10_000), max_size=60))
def test_layers_stay_few_and_a_row_is_seldom_written_again(arriving: list[int]) -> None:
    layers: list[int] = []
    written = 0
    for new in arriving:
        taken = layers_taken_up(layers, new)
        merged = sum(layers[len(layers) - taken :]) + new
        layers = [*layers[: len(layers) - taken], merged]
        written += merged
        assert all(newer < older / 2 for older, newer in pairwise(layers))
        assert len(layers) <= log2(sum(layers)) + 1

    total = sum(arriving)
    # Each time it is written again, a row lies among half as many again.
    assert written <= total * (1 + log2(total or 1) / log2(1.5))
