"""Segments as the registry has them: who belongs to which, now and before."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.columns import MODEL_VERSION, SEGMENT_ID, USER_ID
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion
from feedback_platform.learning.segment_identity import PreviousSegments
from feedback_platform.learning.segment_model import SegmentModel
from feedback_platform.learning.segment_profiles import ASSIGNMENTS_SCHEMA, PROFILES_SCHEMA
from feedback_platform.learning.training import NEXT_SEGMENT_ID, SEGMENTS, SEGMENTS_FILE
from feedback_platform.learning.version_table import versions

ASSIGNMENTS_FILE: Final = "user_segments.parquet"
PROFILES_FILE: Final = "segment_profiles.parquet"
HISTORY_SCHEMA: Final = {
    MODEL_VERSION: pl.String(),
    "effective_from": pl.Datetime("us", "UTC"),
    USER_ID: pl.String(),
    SEGMENT_ID: pl.Int32(),
}


def previous_segments(lake: Lake) -> PreviousSegments | None:
    """Return the segmentation in use, or None where there is none that can be read.

    Training again is the way out when the one in use is damaged; so that is no error here.
    """
    version = champions.in_use(lake, SEGMENTS).version
    if version is None:
        return None
    try:
        described = segment_table(lake, version, PROFILES_FILE, PROFILES_SCHEMA)
        return PreviousSegments(
            model=SegmentModel.from_bytes(registry.read_file(lake, version, SEGMENTS_FILE)),
            names=dict(described.select(SEGMENT_ID, "name").iter_rows()),
            assignments=segment_table(lake, version, ASSIGNMENTS_FILE, ASSIGNMENTS_SCHEMA),
        )
    except (ModelUnusableError, InvalidInputError):
        return None


def first_free_number(lake: Lake) -> int:
    """Return the smallest number that no segment has had, in use or not.

    Not only the version in use knows of numbers: there may have been later ones before it was
    promoted again.
    """
    figures = [json.loads(text) for text in versions(lake, SEGMENTS)["metrics"]]
    # Before segments kept their numbers, those of a version were 0 to its number of segments.
    return max((each.get(NEXT_SEGMENT_ID, each["segments"]) for each in figures), default=0)


def segment_table(
    lake: Lake, version: ModelVersion | None, file: str, schema: Mapping[str, Any]
) -> pl.DataFrame:
    """Return a table of a segmentation; without one, no rows.

    Columns that the release of the version did not have yet are null.

    Raises:
        ModelUnusableError: the file is missing or has changed.
    """
    if version is None:
        return pl.DataFrame(schema=schema)
    table = pl.read_parquet(io.BytesIO(registry.read_file(lake, version, file)))
    later = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in table]
    table = table.with_columns(later).select(*schema)
    return table.with_columns(pl.lit(version.version).alias(MODEL_VERSION))


def assignment_history(lake: Lake) -> pl.DataFrame:
    """Return the groups of the segmentation in use and of those in use before it, where intact.

    One that is newer was rolled back from: days are seen through the newest that is listed here.
    """
    current = champions.in_use(lake, SEGMENTS).version
    promoted = {entry.version for entry in champions.history(lake, SEGMENTS)}
    tables = [pl.DataFrame(schema=HISTORY_SCHEMA)]
    for name in sorted(promoted):
        if current is None or name > current.version:
            break
        try:
            version = registry.read_version(lake, SEGMENTS, name)
            table = segment_table(lake, version, ASSIGNMENTS_FILE, ASSIGNMENTS_SCHEMA)
        except ModelUnusableError:
            # Its days are seen through the one before it.
            continue
        tables.append(
            table.select(
                MODEL_VERSION,
                pl.lit(version.trained_at).dt.cast_time_unit("us").alias("effective_from"),
                USER_ID,
                SEGMENT_ID,
            )
        )
    return pl.concat(tables)


def segment_names(lake: Lake) -> dict[str, str]:
    """Return the name of each user's segment, by the segmentation in use."""
    version = champions.in_use(lake, SEGMENTS).version
    assigned = segment_table(lake, version, ASSIGNMENTS_FILE, ASSIGNMENTS_SCHEMA)
    described = segment_table(lake, version, PROFILES_FILE, PROFILES_SCHEMA)
    named = assigned.join(described.select(SEGMENT_ID, "name"), on=SEGMENT_ID)
    return dict(named.select(USER_ID, "name").iter_rows())
