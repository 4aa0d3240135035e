"""Taking back what raw objects gave before they were reprocessed, without starting anew.

An event counts once, by its earliest delivery, and the warehouse keeps no other. A reprocessed
object replaces its rows. Of the events that were stored from it
- most are in its new rows again, at the same place: still their earliest delivery;
- the others (it was corrected what a line means) may have been delivered in another object, too.
  The clean layer has every delivery, so they come back from there, or leave.

Only the second kind costs a pass over the clean layer.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from feedback_platform.lake.batches import BatchManifest, manifests_after
from feedback_platform.lake.store import Lake
from feedback_platform.warehouse.connection import single_row
from feedback_platform.warehouse.local_copies import LocalCopies


def take_back(
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    cache_dir: Path,
    manifests: list[BatchManifest],
    *,
    done: int,
) -> None:
    """Fill `lake.replaced_objects` and `lake.withdrawn_events`, and stage what comes back.

    Args:
        connection: inside the transaction that staged the batches.
        lake: where they lie.
        cache_dir: where objects of a remote lake are copied to while they are read.
        manifests: of the staged batches.
        done: the newest batch that has reached every table; 0 for a warehouse without any.
    """
    connection.execute("delete from lake.replaced_objects; delete from lake.withdrawn_events")
    if done == 0:
        return
    replaced = {key for m in manifests if m.is_reprocessing for key in m.raw_objects}
    if not replaced:
        return
    connection.execute(
        "insert into lake.replaced_objects select unnest(?::varchar[])", [sorted(replaced)]
    )
    # What is staged holds no delivery that is as early as the one that leaves.
    connection.execute(
        """
        insert into lake.withdrawn_events
        select stored.event_id
        from interaction.interactions as stored
        where
            stored.raw_object in (select raw_object from lake.replaced_objects)
            and not exists (
                select 1
                from lake.clean_events as staged
                where
                    staged.event_id = stored.event_id
                    and (staged.received_at, staged.raw_object, staged.raw_row)
                    <= (stored.received_at, stored.raw_object, stored.raw_row)
            )
        """
    )
    (withdrawn,) = single_row(connection, "select count(*) from lake.withdrawn_events")
    if withdrawn:
        _bring_back(connection, lake, cache_dir, done=done, through=manifests[-1].sequence)
        connection.execute(
            "delete from lake.withdrawn_events "
            "where event_id in (select event_id from lake.clean_events)"
        )


def _bring_back(
    connection: duckdb.DuckDBPyConnection, lake: Lake, cache_dir: Path, *, done: int, through: int
) -> None:
    """Stage the other deliveries of withdrawn events, as rows of the newest staged batch."""
    known = [manifest for manifest in manifests_after(lake, 0) if manifest.sequence <= through]
    counts = {key: manifest.sequence for manifest in known for key in manifest.raw_objects}
    for manifest in known:
        counting = [key for key in manifest.raw_objects if counts[key] == manifest.sequence]
        # The objects of later batches are staged as they are.
        if manifest.sequence > done or not counting or not manifest.clean_objects:
            continue
        with LocalCopies(lake, cache_dir) as copies:
            connection.execute(
                """
                insert into lake.clean_events by name
                select * replace (?::bigint as batch_sequence)
                from read_parquet(?, hive_partitioning = false)
                where
                    event_id in (select event_id from lake.withdrawn_events)
                    and raw_object in (select unnest(?::varchar[]))
                """,
                [through, copies.paths(manifest.clean_objects), counting],
            )
