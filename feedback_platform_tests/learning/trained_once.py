"""What several tests of a file train on the same data is trained once in each process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from feedback_platform.learning import learned_tables, ranker
from feedback_platform.learning.training import train_recommender, train_segments


def remembered(train: Callable[..., Any]) -> Callable[..., Any]:
    """Return a training that gives for what it was given before what it gave then.

    What it gives is only looked at. Other features of the ranker make another model.
    """
    known: list[tuple[Any, Any]] = []

    def once(*given: Any, **named: Any) -> Any:
        asked = (given, named, dict(vars(ranker)["FEATURES"]))
        for before, trained in known:
            if is_same(before, asked):
                return trained
        trained = train(*given, **named)
        known.append((asked, trained))
        return trained

    return once


def is_same(one: Any, other: Any) -> bool:  # noqa: PLR0911 - one for each kind of thing
    """Whether two things are equal, tables and arrays in all that they hold."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    match one:
        case pl.DataFrame():
            return one.schema == other.schema and one.equals(other)
        case np.ndarray():
            return np.array_equal(one, other)
        case Mapping():
            return [*one] == [*other] and all(is_same(one[name], other[name]) for name in one)
        case tuple() | list():
            return len(one) == len(other) and all(map(is_same, one, other))
        case _ if is_dataclass(one):
            names = [field.name for field in fields(one)]
            return all(is_same(getattr(one, name), getattr(other, name)) for name in names)
        case _:
            return bool(one == other)


recommender_once = remembered(train_recommender)


@contextmanager
def segments_once() -> Iterator[None]:
    """Let `learn_segments` train the same segments once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learned_tables, "train_segments", remembered(train_segments))
        yield
