"""Segments as tables: who belongs to which, and what each one is like."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.columns import (
    ALGORITHM,
    CATEGORY,
    DISTANCE,
    MODEL_VERSION,
    SEGMENT_ID,
    USER_ID,
)
from feedback_platform.learning.segment_names import lifts
from feedback_platform.learning.segments import Segmentation

TOP_PREFERENCES: Final = 5
TYPICAL_USERS: Final = 3
ASSIGNMENTS_SCHEMA: Final = {
    USER_ID: pl.String(),
    SEGMENT_ID: pl.Int32(),
    ALGORITHM: pl.String(),
    DISTANCE: pl.Float64(),
    MODEL_VERSION: pl.String(),
}
PROFILES_SCHEMA: Final = {
    SEGMENT_ID: pl.Int32(),
    "name": pl.String(),
    "users": pl.Int64(),
    "top_preferences": pl.List(
        pl.Struct({CATEGORY: pl.String(), "share": pl.Float64(), "lift": pl.Float64()})
    ),
    "features": pl.List(pl.Struct({"feature": pl.String(), "mean": pl.Float64()})),
    ALGORITHM: pl.String(),
    MODEL_VERSION: pl.String(),
    "silhouette": pl.Float64(),
    "stability": pl.Float64(),
}


def assignments(segmentation: Segmentation, model_version: str) -> pl.DataFrame:
    """Return each user's segment (`ASSIGNMENTS_SCHEMA`), sorted by user.

    Users without any affinity have no row. The distance is to the segment's centre, between
    square-rooted shares: from 0 to √2.
    """
    return pl.DataFrame(
        {
            USER_ID: segmentation.matrix.user_ids,
            SEGMENT_ID: np.asarray(segmentation.model.ids)[segmentation.labels],
            DISTANCE: segmentation.distances,
        }
    ).select(
        USER_ID,
        pl.col(SEGMENT_ID).cast(pl.Int32),
        pl.lit(segmentation.algorithm).alias(ALGORITHM),
        DISTANCE,
        pl.lit(model_version).alias(MODEL_VERSION),
    )


def profiles(
    segmentation: Segmentation, model_version: str, features: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return what each segment is like (`PROFILES_SCHEMA`), sorted by segment.

    A top preference has the segment's mean share and its lift: that share over everybody's.
    Its stability is how much of it comes back when other users are drawn, see `segment_bootstrap`.
    Among the features is always `effective_categories`, the exponential of the entropy of a
    user's shares: how many equally liked categories would be as varied (Hill, 1973).

    Args:
        segmentation: the groups.
        model_version: written into every row.
        features: user_id and numeric or Boolean columns, whose means over each segment are added;
            other columns are left out.

    Raises:
        InvalidInputError: the features have no user_id.
    """
    matrix = segmentation.matrix
    average = matrix.shares.mean(axis=0)
    means, stability = _feature_means(segmentation, features), segmentation.stability
    rows = []
    for row, (segment, name) in enumerate(
        zip(segmentation.model.ids, segmentation.names, strict=True)
    ):
        is_member = segmentation.labels == row
        shares = matrix.shares[is_member].mean(axis=0)
        lift = lifts(shares, average)
        top = [c for c in np.argsort(-shares, kind="stable")[:TOP_PREFERENCES] if shares[c] > 0]
        rows.append(
            {
                SEGMENT_ID: segment,
                "name": name,
                "users": int(is_member.sum()),
                "top_preferences": [
                    {
                        CATEGORY: matrix.categories[c],
                        "share": float(shares[c]),
                        "lift": float(lift[c]),
                    }
                    for c in top
                ],
                "features": [
                    {"feature": feature, "mean": values[row]} for feature, values in means.items()
                ],
                ALGORITHM: segmentation.algorithm,
                MODEL_VERSION: model_version,
                "silhouette": segmentation.silhouette,
                "stability": stability.segments[row] if stability else None,
            }
        )
    return pl.DataFrame(rows, schema=PROFILES_SCHEMA)


def typical_users(segmentation: Segmentation, row: int) -> list[str]:
    """Return the users closest to the centre of the segment in a row, `TYPICAL_USERS` at most."""
    members = np.flatnonzero(segmentation.labels == row)
    closest = members[np.argsort(segmentation.distances[members], kind="stable")]
    return [segmentation.matrix.user_ids[user] for user in closest[:TYPICAL_USERS].tolist()]


def _feature_means(
    segmentation: Segmentation, features: pl.DataFrame | None
) -> dict[str, list[float | None]]:
    shares = segmentation.matrix.shares
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    members = pl.DataFrame(
        {
            USER_ID: segmentation.matrix.user_ids,
            SEGMENT_ID: segmentation.labels,
            "effective_categories": np.exp(-(shares * logarithms).sum(axis=1)),
        }
    )
    if features is not None:
        if USER_ID not in features.columns:
            raise InvalidInputError(f"The features frame has no column {USER_ID}.")
        usable = [
            c for c, kind in features.schema.items() if kind.is_numeric() or kind == pl.Boolean
        ]
        reserved = members.columns
        members = members.join(
            features.select(USER_ID, *[c for c in usable if c not in reserved]),
            on=USER_ID,
            how="left",
        )
    # In order, because the last digit of a sum depends on it.
    grouped = members.group_by(SEGMENT_ID, maintain_order=True)
    means = grouped.agg(pl.exclude(USER_ID, SEGMENT_ID).mean())
    ordered = means.sort(SEGMENT_ID).drop(SEGMENT_ID)
    return {column: ordered[column].cast(pl.Float64).to_list() for column in ordered.columns}
