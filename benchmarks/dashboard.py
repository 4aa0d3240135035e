"""How long each page of the dashboard takes on ten million interactions.

    python benchmarks/dashboard.py [--interactions 10000000] [--days 730]

Publishes tables of that size: interactions with their columns, and the marts of two years with 12
segments, 8 placements and 40 model versions. Each page is then run by Streamlit, without a browser:

- first: by the first visitor after a publication; everything is asked.
- again: by everybody else; nothing is asked.
- peer: the same queries, asked directly of DuckDB in the same process.

Last comes what one look at click-through by day would cost if it were counted from the
interactions. All days are chosen, which is the most that a visitor can ask for.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from machine import say_what_machine
from streamlit.testing.v1 import AppTest

from feedback_platform.dashboard import app
from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform.dashboard.tables import Table
from feedback_platform.warehouse.published import open_published
from feedback_platform.warehouse.published_database import PublishedState, write_database
from feedback_platform.warehouse.published_files import PublishedFile, PublishedTable

FIRST = date(2024, 11, 26)
SEGMENTS, PLACEMENTS, VERSIONS = 12, 8, 40
TRIES = 3
_DAY = f"date '{FIRST}' + day::int as day"
MARTS = {
    "metrics.engagement_daily": f"""
        select {_DAY}, segment::varchar as segment, 'placement-' || placement as placement,
            1100 + day % 7 as sessions, 900 as users, 4000 + day % 90 as impressions,
            400 + (day * segment) % 80 as clicks, 0.1 as ctr, 480.0 as session_seconds,
            0.07 as bounce_rate, 'v1' as segmentation
        from range($days) as a (day), range({SEGMENTS}) as b (segment),
            range({PLACEMENTS}) as c (placement)
    """,
    "metrics.engagement_by_model_daily": f"""
        select {_DAY}, 'version-' || (day * {VERSIONS} // $days) as model_version,
            'placement-' || placement as placement, 40000 as impressions, 4000 + day % 80 as clicks,
            0.1 as ctr, 9000 as users
        from range($days) as a (day), range({PLACEMENTS}) as c (placement)
    """,
    "metrics.engagement_by_variant_daily": f"""
        select {_DAY}, 'experiment-' || (day // 30) as experiment_id, 'variant-' || v as variant,
            4000 as users, 5000 as sessions, 20000 as impressions, 2000 as clicks, 0.1 as ctr,
            480.0 as session_seconds, 0.07 as bounce_rate, 90 as conversions
        from range($days) as a (day), range(3) as b (v)
    """,
    "metrics.satisfaction_daily": f"""
        select {_DAY}, 100 as responses, 40.0 as nps, 24.3 as nps_low, 55.7 as nps_high,
            900 as ratings, 3.9 as average_rating, 100 as csat_responses, 0.7 as csat,
            0.6 as csat_low, 0.8 as csat_high
        from range($days) as a (day)
    """,
    "metrics.retention_weekly": f"""
        select date '{FIRST}' + 6 + 7 * cohort::int as cohort_week, week + 1 as week, 900 as users,
            500 as returned, 0.55 as retention, 0.5 as low, 0.6 as high
        from range($days // 7) as a (cohort), range(12) as b (week)
    """,
    "metrics.conversion_daily": f"""
        select {_DAY}, segment::varchar as segment, 900 as users, 40 + day % 9 as converted_users,
            0.05 as conversion_rate, 0.04 as low, 0.06 as high, 50 as conversions, 900.0 as revenue
        from range($days) as a (day), range({SEGMENTS}) as b (segment)
    """,
    "metrics.quarantine_daily": f"""
        select {_DAY}, 'reason_' || reason as reason, 40 as events
        from range($days) as a (day), range(9) as b (reason)
    """,
    "metrics.loop_health_daily": f"""
        select {_DAY}, 400000 as impressions, 9000 as users, 800 as items_shown, 1000 as catalogue,
            0.8 as coverage, 0.4 as popularity_gini, 0.1 as popularity_bias,
            0.05 as exploration_share, 0.3 as filter_bubble_index
        from range($days) as a (day)
    """,
    "metrics.adjustments": f"""
        select 'a' || day as adjustment_id, 'rule' as rule, 'all' as scope,
            '{{"value": 0.04}}' as evidence, 'flag' as action, 'flag-' || (day % 9) as flag,
            'on' as before, 'off' as after, 'applied' as status, 'below' as reason,
            (date '{FIRST}' + day::int)::timestamp as "at", null::timestamp as undone_at
        from range($days) as a (day)
    """,
    "metrics.drift_events": f"""
        select 'd' || day as event_id, 'stream-' || (day % 5) as stream, 'adwin' as method,
            (date '{FIRST}' + day::int)::timestamp as detected_at, 900 as width,
            0.1 as before_mean, 0.2 as after_mean, 'retrain' as action
        from range($days) as a (day) where day % 20 = 0
    """,
    "ml.segment_profiles": f"""
        select segment::int as segment_id, 'Segment ' || segment as name, 80000 as users,
            [{{'category': 'c' || (segment % 7), 'share': 0.4, 'lift': 2.0}}] as top_preferences,
            [{{'feature': 'clicks', 'mean': 4.0}}] as features, 'k-means' as algorithm,
            'v1' as model_version, 0.3 as silhouette, 0.9 as stability
        from range({SEGMENTS}) as b (segment) where $days > 0
    """,
    "ml.model_versions": f"""
        select 'recommender' as model, 'version-' || v as version,
            (date '{FIRST}' + (v * $days // {VERSIONS})::int)::timestamp as trained_at,
            'nightly' as trigger,
            '{{"ndcg_at_10_gain": 0.1, "ndcg_at_10_gain_low": 0.08, "ndcg_at_10_gain_high": 0.12}}'
                as metrics,
            case v when {VERSIONS - 1} then 'champion' else 'retired' end as status,
            'better' as reason, null::timestamp as promoted_at, null::varchar as decision
        from range({VERSIONS}) as b (v)
    """,
}
INTERACTIONS = f"""
    select
        uuid()::varchar as event_id,
        case number % 10 when 0 then 'item_clicked' when 1 then 'item_viewed'
            else 'item_impression' end as event_type,
        'user-' || (number * 7919 % 1000000) as user_id, 'item-' || (number % 10000) as item_id,
        'session-' || (number // 12) as session_id,
        timestamp '{FIRST}' + to_seconds(number * $days * 86400 // $interactions) as occurred_at,
        timestamp '{FIRST}' + to_seconds(number * $days * 86400 // $interactions) as received_at,
        null::double as value, 'desktop' as device_type,
        'placement-' || (number % {PLACEMENTS}) as placement, number % 10 as position,
        'list-' || (number // 10) as recommendation_id
    from range($interactions) as a (number)
"""
BY_DAY = """
    select occurred_at::date as day, count(*) filter (where event_type = 'item_clicked')
        / count(*) filter (where event_type = 'item_impression') as ctr
    from interaction.interactions group by day order by day
"""
ASKED: list[tuple[str, dict[str, Any]]] = []


def publish(directory: Path, interactions: int, days: int) -> Path:
    """Write the tables and the database over them."""
    files, shown, rows = [], [], {}
    (directory / "tables").mkdir()
    with duckdb.connect() as connection:
        for name, sql in {"interaction.interactions": INTERACTIONS, **MARTS}.items():
            parameters: dict[str, int] = {"days": days}
            if "$interactions" in sql:
                parameters["interactions"] = interactions
            file = f"{name}.parquet"
            target = str(directory / "tables" / file).replace("'", "''")
            connection.execute(f"copy ({sql}) to '{target}' (compression zstd)", parameters)
            ((rows[name],),) = connection.execute(
                "select sum(num_rows)::bigint from parquet_file_metadata(?)", [target]
            ).fetchall()
            files.append(PublishedFile(name, "all", file, rows[name]))
            schema, _, table = name.partition(".")
            shown.append(PublishedTable(schema, table))
    path = directory / "feedback.duckdb"
    write_database(path, directory / "tables", shown, PublishedState(1, files), rows, {})
    return path


def noted(question: Callable[..., pl.DataFrame]) -> Callable[..., pl.DataFrame]:
    """Return `Snapshot.rows` that notes what was asked and answered."""

    def rows(
        snapshot: Snapshot, table: Table, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> pl.DataFrame:
        found = question(snapshot, table, sql, parameters)
        ASKED.append((sql, dict(parameters or {})))
        return found

    return rows


def script(published: str, name: str) -> None:
    """Show a page; Streamlit runs this text by itself."""
    from pathlib import Path  # noqa: PLC0415

    from feedback_platform.dashboard.app import PAGES, show_page  # noqa: PLC0415

    show_page(Path(published), next(page for page in PAGES if page.name == name))


def seconds_of(path: Path, name: str) -> float:
    """Return how long one run of a page takes."""
    page = AppTest.from_function(script, args=(str(path), name))
    page.query_params["period"] = "All days"
    began = time.perf_counter()
    page.run(timeout=600)
    took = time.perf_counter() - began
    if page.exception:
        raise SystemExit(f"{name}: {page.exception[0].value}")
    return took


def peer_seconds(path: Path, asked: list[tuple[str, dict[str, Any]]]) -> float:
    """Return how long the queries take by themselves."""
    began = time.perf_counter()
    with open_published(path) as connection:
        for sql, parameters in asked:
            connection.sql(sql, params=parameters).to_arrow_table()
    return time.perf_counter() - began


def main() -> None:
    """Print a line a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=730)
    given = parser.parse_args()
    say_what_machine()
    Snapshot.rows = noted(Snapshot.rows)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as directory:
        path = publish(Path(directory), given.interactions, given.days)
        seconds_of(path, "overview")
        print(f"{given.interactions:,} interactions, {given.days} days; median of {TRIES}, seconds")
        print(f"{'page':<14}{'first':>8}{'again':>8}{'peer':>8}{'queries':>9}")
        for page in app.PAGES:
            first, again, peer = [], [], []
            for _ in range(TRIES):
                # Another date of the file is another publication.
                os.utime(path)
                ASKED.clear()
                first.append(seconds_of(path, page.name))
                asked = list(ASKED)
                again.append(seconds_of(path, page.name))
                peer.append(peer_seconds(path, asked))
            figures = "".join(f"{statistics.median(each):8.3f}" for each in (first, again, peer))
            print(f"{page.name:<14}{figures}{len(asked):9d}")
        scanned = peer_seconds(path, [(BY_DAY, {})])
        print(f"click-through by day, counted from the interactions themselves: {scanned:.3f}")


if __name__ == "__main__":
    main()
