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
from feedback_platform.privacy.preferences_log import entries_of, is_erased
from feedback_platform.privacy.requests import identity_of
from feedback_platform.privacy.traces import Traces, is_distinct

# What may be called like a user or a device, and stays.
_OTHER_NAMES: Final = [c.ITEM_ID, c.SESSION_ID]


# What people wrote, and nothing changes: conditions of flags, experiments, and adjustments with
# their reasons.
_WRITTEN: Final = (keys.FLAGS, keys.ADJUSTMENTS, keys.EXPERIMENTS)


@dataclass(frozen=True)
class Others:
    """What stays, after the erasure.

    Attributes:
        shared: erased ids that others have as well: a device that somebody else used too, a user
            who came back. They say nothing about anybody.
        traces: looks for the rest.
        rows_left: rows that should be gone, by their object: none, unless something went wrong.
        written: how many ids stand in what people wrote, by its object.
    """

    shared: frozenset[str]
    traces: Traces
    rows_left: Mapping[str, int] = field(default_factory=dict)
    written: Mapping[str, int] = field(default_factory=dict)


def looked_at_beside_others(lake: Lake, erased: Collection[str], tombstones: Tombstones) -> Others:
    """Return which ids can be looked for, and which are names of something that stays, too.

    Args:
        lake: whose clean layer and log of preferences are read.
        erased: users and devices; at least one.
        tombstones: who was erased.
    """
    wanted = pl.Series(sorted(erased), dtype=pl.String)
    distinct = [name for name in wanted if is_distinct(name)]
    shared: set[str] = set()
    mentioned: set[str] = set()
    longer: set[str] = set()
    rows_left: dict[str, int] = {}
    for key in lake.list_keys(keys.CLEAN):
        rows = pl.read_parquet(io.BytesIO(lake.get(key)), columns=[*_OTHER_NAMES, *CLEAN_COLUMNS])
        left = int(erased_events(rows, tombstones, CLEAN_HAPPENED).sum())
        if left:
            rows_left[key] = left
        previous = rows.select(previous_id()).to_series()
        people = [rows[c.USER_ID], rows[c.ANONYMOUS_ID], previous]
        things = [rows[name] for name in _OTHER_NAMES]
        for columns, known in ((people, shared), (things, mentioned)):
            for column in columns:
                names = column.drop_nulls().unique()
                known.update(names.filter(names.is_in(wanted.implode())))
                longer.update(names.filter(names.str.contains_any(distinct)) if distinct else [])
    said = entries_of(lake, lake.list_keys(keys.PREFERENCES))
    for key, entry in said.items():
        if is_erased(entry, tombstones):
            rows_left[key] = 1
        else:
            # What somebody who came back has said may not be clean yet.
            shared.update({identity_of(entry.user_id).id}.intersection(erased))
    ids, longer = set(erased) - shared, longer - set(erased)
    traces = Traces(ids, longer)
    mentioned |= _mentioned(lake, traces)
    written = {
        key: found
        for prefix in _WRITTEN
        for key in lake.list_keys(prefix)
        if (found := traces.in_writing(lake.get(key)))
    }
    mentioned = mentioned.union(*written.values())
    return Others(
        frozenset(shared),
        Traces(ids, longer, mentioned),
        rows_left,
        {key: len(found) for key, found in written.items()},
    )


def is_written(key: str) -> bool:
    """Return whether people wrote an object, so that what it names is reported, and stays."""
    return key.startswith(tuple(f"{prefix}/" for prefix in _WRITTEN))


def _mentioned(lake: Lake, traces: Traces) -> set[str]:
    """Return the ids that events of others name somewhere in them."""
    found: set[str] = set()
    for key in lake.list_keys(keys.CLEAN) if traces.has_distinct else []:
        rows = pl.read_parquet(io.BytesIO(lake.get(key)))
        for name in rows.select(pl.selectors.string()).columns:
            found |= traces.named_in(rows[name].drop_nulls().unique())
    return found
