"""How many random histories and made-up examples a test is run on."""

from __future__ import annotations

import os

import pytest
from _pytest.mark import ParameterSet
from hypothesis import settings


def seeds(first: int, *others: int) -> list[ParameterSet]:
    """One seed for every run of the suite, and others for the slow one.

    `FEEDBACK_TEST_SEEDS=100 pytest …` runs the first hundred instead.
    """
    if more := os.environ.get("FEEDBACK_TEST_SEEDS"):
        return [pytest.param(seed) for seed in range(int(more))]
    return [pytest.param(first), *(pytest.param(seed, marks=pytest.mark.slow) for seed in others)]


def examples(few: int) -> settings:
    """A number of examples for an invariant of which each takes long.

    `FEEDBACK_TEST_EXAMPLES=10 pytest …` runs ten times as many.
    """
    return settings(max_examples=few * int(os.environ.get("FEEDBACK_TEST_EXAMPLES") or 1))
