"""Putting a simulation into the lake, one raw object an hour, as a collector would."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from feedback_platform.events import columns as c
from feedback_platform.lake import keys
from feedback_platform.lake.raw import announce_backfill, list_raw_objects, write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.simulation.bad_rows import LINE
from feedback_platform.simulation.simulation import PlantedDirt, Simulation

SOURCE: Final = "simulation"

# Writers wait for the disk or the network most of the time.
_WRITERS: Final = 8


@dataclass(frozen=True)
class WrittenSimulation:
    """What writing a simulation did.

    Attributes:
        objects: raw objects added to the lake.
        already_there: raw objects that an earlier writing of the same simulation had added.
        events: lines in the added objects, duplicates and bad rows among them.
        planted: how much dirt the simulation has, whether added now or earlier.
    """

    objects: int
    already_there: int
    events: int
    planted: PlantedDirt


def write_simulation(
    lake: Lake, simulation: Simulation, *, progress: Callable[[int, int], None] | None = None
) -> WrittenSimulation:
    """Write what the collector received; what an earlier call has written stays as it is.

    Args:
        lake: where to.
        simulation: what.
        progress: called in this thread with the hours done and all hours, after each.

    Raises:
        LakeUnavailableError: the lake failed; call again to write the rest.
    """
    hours = (
        simulation.lines.with_columns(pl.col(c.RECEIVED_AT).dt.truncate("1h"))
        .group_by(c.RECEIVED_AT, maintain_order=True)
        .agg(LINE)
    )
    there = set(list_raw_objects(lake, since=min(hours[c.RECEIVED_AT].to_list(), default=None)))
    objects = events = done = 0
    with ThreadPoolExecutor(_WRITERS) as pool:
        writing = {
            pool.submit(_write_hour, lake, simulation, hour, lines, there): len(lines)
            for hour, lines in _each(hours)
        }
        try:
            for future in as_completed(writing):
                done += 1
                if future.result():
                    objects += 1
                    events += writing[future]
                if progress:
                    progress(done, len(writing))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    # Weeks of the past land at once, behind the newest hours of a lake that is in use.
    announce_backfill(lake, f"{SOURCE}-{simulation.parameters.fingerprint}")
    return WrittenSimulation(
        objects=objects,
        already_there=len(writing) - objects,
        events=events,
        planted=simulation.planted,
    )


def _each(hours: pl.DataFrame) -> Iterator[tuple[datetime, pl.Series]]:
    yield from zip(hours[c.RECEIVED_AT].to_list(), hours[LINE], strict=True)


def _write_hour(
    lake: Lake, simulation: Simulation, hour: datetime, lines: pl.Series, there: Collection[str]
) -> bool:
    """Write one object, unless it is there; return whether it is new."""
    parameters = simulation.parameters
    sortable_id = f"{hour:%Y%m%dt%H}s{parameters.seed}p{parameters.fingerprint}"
    if keys.raw_object(hour, SOURCE, sortable_id) in there:
        return False
    write_raw_object(
        lake,
        received_at=hour,
        source=SOURCE,
        sortable_id=sortable_id,
        ndjson=("\n".join(lines.to_list()) + "\n").encode(),
    )
    return True
