"""What a lake holds, beside what Polars makes of the same raw objects in another lake."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import polars as pl

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake import keys
from feedback_platform.lake.batches import manifests_after
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake


def counted_rows(lake: Lake, layer: str) -> pl.DataFrame:
    """What the committed batches hold, whatever their numbers are, in one order."""
    stored = [key for manifest in manifests_after(lake, 0) for key in getattr(manifest, layer)]
    found = pl.concat([pl.read_parquet(io.BytesIO(lake.get(key))) for key in stored])
    return found.drop("batch_sequence").sort(pl.all())


def assert_as_polars_would(lake: Lake, elsewhere: Path) -> None:
    """Every raw object counts once, and what was made of it is what Polars makes of the same."""
    counted = Counter(key for manifest in manifests_after(lake, 0) for key in manifest.raw_objects)
    assert counted == Counter(list_raw_objects(lake))
    other = Lake(elsewhere.as_uri())
    # The statistics that were fitted belong to what they were applied to.
    for key in [*counted, *lake.list_keys(keys.REFERENCE)]:
        other.put(key, lake.get(key), mode="create")
    clean_new(other, default_rules(), is_sweep=True)
    for layer in ("clean_objects", "quarantine_objects"):
        left, right = counted_rows(lake, layer), counted_rows(other, layer)
        assert left.height > 0
        assert left.schema == right.schema
        assert [name for name in left.columns if not left[name].equals(right[name])] == []
