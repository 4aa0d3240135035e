"""What stays of others, so that it is not taken for a trace of somebody who was erased."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from feedback_platform.cleaning.erased_events import erased_events, previous_id
from feedback_platform.events import columns as c
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import Tombstones
from feedback_platform.privacy.clean_rows import CLEAN_COLUMNS, CLEAN_HAPPENED
from feedback_platform.privacy.traces import Traces

# What may be called like a user or a device, and stays.
_OTHER_NAMES: Final = [c.ITEM_ID, c.SESSION_ID]
_NAMES: Final = [c.USER_ID, c.ANONYMOUS_ID, *_OTHER_NAMES]


@dataclass(frozen=True)
class Others:
    """What the clean layer holds, after the erasure.

    Attributes:
        shared: erased ids that others have as well: a device that somebody else used too, a user
            who came back, an item of the same name. Their bytes say nothing about anybody.
        traces: looks for the rest.
        rows_left: rows that should be gone, by their object: none, unless something went wrong.
    """

    shared: frozenset[str]
    traces: Traces
    rows_left: Mapping[str, int] = field(default_factory=dict)


def looked_at_beside_others(lake: Lake, erased: Collection[str], tombstones: Tombstones) -> Others:
    """Return which ids can be looked for, and which are names of something that stays, too.

    Args:
        lake: whose clean layer is read, a few columns of it.
        erased: users and devices; at least one.
        tombstones: who was erased.
    """
    wanted = pl.Series(sorted(erased), dtype=pl.String)
    shared: set[str] = set()
    longer: set[str] = set()
    rows_left: dict[str, int] = {}
    for key in lake.list_keys(keys.CLEAN):
        rows = pl.read_parquet(io.BytesIO(lake.get(key)), columns=[*_OTHER_NAMES, *CLEAN_COLUMNS])
        left = int(erased_events(rows, tombstones, CLEAN_HAPPENED).sum())
        if left:
            rows_left[key] = left
        previous = rows.select(previous_id()).to_series()
        for column in [*(rows[name] for name in _NAMES), previous]:
            names = column.drop_nulls().unique()
            shared.update(names.filter(names.is_in(wanted.implode())))
            longer.update(names.filter(names.str.contains_any(wanted.to_list())))
    traces = Traces(set(erased) - shared, longer - set(erased))
    return Others(frozenset(shared), traces, rows_left)
