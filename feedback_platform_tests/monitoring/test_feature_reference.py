from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from feedback_platform.monitoring.feature_reference import (
    Distribution,
    FeatureReference,
    described,
    reference_of,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_values_are_counted_up_to_each_edge_and_what_is_missing_beside_them() -> None:
    values = pl.Series([0.0, 1.0, 1.5, 2.0, 9.0, None, float("nan")])

    assert described(values, (1.0, 2.0)) == Distribution(
        edges=(1.0, 2.0), counts=(2, 2, 1), missing=2, mean=2.7
    )


def test_the_edges_of_few_values_are_the_values() -> None:
    frame = pl.DataFrame({"is_mobile": [0, 1, 1, 0, 1] * 40})

    reference = reference_of({"user": frame}, NOON)

    assert reference.features == {
        "user.is_mobile": Distribution((0.0, 1.0), (80, 120, 0), missing=0, mean=0.6)
    }


def test_between_the_edges_of_many_values_lie_equal_shares() -> None:
    values = np.random.default_rng(1).permutation(10_000) / 10_000

    (found,) = reference_of({"item": pl.DataFrame({"a": values})}, NOON).features.values()

    assert len(found.edges) == 199
    assert set(found.counts) <= {49, 50, 51}


def test_a_feature_that_nobody_has_is_no_reference() -> None:
    frame = pl.DataFrame({"a": pl.Series([None, None], dtype=pl.Float64), "b": [1.0, 2.0]})

    assert reference_of({"user": frame}, NOON).features.keys() == {"user.b"}


def test_a_reference_comes_back_from_its_bytes() -> None:
    frame = pl.DataFrame({"a": [0.1, 0.2, None], "b": [1, 2, 3]})
    reference = reference_of({"user": frame}, NOON)

    assert FeatureReference.from_bytes(reference.to_bytes()) == reference
