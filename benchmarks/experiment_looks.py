"""What a look at an experiment costs, and that it does not follow what is stored.

    python benchmarks/experiment_looks.py [--days 30 120] [--repeats 5]

An experiment of a week, half of whose users meet it, in a product of 100,000 users with a million
interactions a month: once with a month of history, and once with four. The tables are made up in
DuckDB, in the order of time, as the warehouse has them. The peer is one bare query of the same
week: impressions and clicks by variant, no user as a unit, nothing of before, no interval.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
from machine import say_what_machine

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.experiments.definition import Design, Experiment, Goal, HoldOut, Lever
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.reading import look_at
from feedback_platform.warehouse.experiment_tables import ExperimentTables
from feedback_platform.warehouse.published import relation_frame

USERS: Final = 100_000
EVENTS_A_DAY: Final = 33_000
ENDS: Final = datetime(2026, 3, 1, tzinfo=UTC)
WEEK: Final = timedelta(days=7)
_EVENTS: Final = f"""
    create table interaction.interactions as
    select
        'e' || number as event_id,
        $1::timestamp + to_microseconds((number * 86400e6 / {EVENTS_A_DAY})::bigint) as occurred_at,
        occurred_at as received_at,
        case number % 10
            when 0 then 'experiment_exposed' when 1 then 'item_clicked'
            when 2 then 'item_converted' else 'item_impression'
        end as event_type,
        'u' || (hash(number) % {USERS}) as user_id,
        'i' || (number % 1000) as item_id,
        's' || (number // 10) as session_id,
        'r' || (number // 10) as recommendation_id,
        'home' as placement,
        '{{}}'::json as properties,
        9.0 as value, 9.0 as cleaned_value,
        false as is_bot, false as is_burst, false as is_imputed, false as is_outlier,
        case when event_type = 'experiment_exposed' then 'cards' end as experiment_id,
        case when hash(user_id) % 2 = 0 then 'grid' else 'cards' end as variant
    from range($2) as numbers (number)
"""
_SESSIONS: Final = """
    create table interaction.sessions as
    select
        session_id, min(user_id) as user_id, min(occurred_at) as started_at,
        max(occurred_at) as ended_at, 60.0 as duration_seconds, false as is_bounce
    from interaction.interactions
    group by session_id
    order by started_at
"""
_BARE: Final = """
    with exposed as (
        select user_id, arg_min(variant, occurred_at) as variant, min(occurred_at) as since
        from interaction.interactions
        where experiment_id = 'cards' and occurred_at >= $1::timestamp
        group by user_id
    )
    select
        exposed.variant, count(*) filter (where event_type = 'item_impression') as impressions,
        count(*) filter (where event_type = 'item_clicked') as clicks
    from interaction.interactions inner join exposed using (user_id)
    where occurred_at >= $1::timestamp and occurred_at >= exposed.since
    group by all
"""


def main() -> None:
    """Measure, and print a line a history."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, nargs="+", default=[30, 120], help="of history")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    say_what_machine()
    author = Author("person:benchmark", "to measure", ENDS)
    experiment = Experiment(
        key="cards",
        hypothesis="Cards sell more.",
        lever=Lever.FLAG,
        subject="layout",
        variants={"grid": "grid", "cards": "cards"},
        control="grid",
        split={"grid": 50.0, "cards": 50.0},
        primary=(Goal("converting_users", 0.02), Goal("click_through_rate", 0.01)),
        secondary=("revenue_per_user", "visits_per_user"),
        design=Design(2 * WEEK, cuped_window=WEEK),
    )
    started = Started(experiment, HoldOut(), author, ENDS - WEEK)
    begins = (ENDS - WEEK).replace(tzinfo=None)
    for days in chosen.days:
        with (
            tempfile.TemporaryDirectory() as directory,
            duckdb.connect(Path(directory) / "warehouse.duckdb") as connection,
        ):
            _fill(connection, days)
            tables = ExperimentTables(connection)
            look = look_at(tables, started, None, ENDS, 1)
            looking = partial(look_at, tables, started, None, ENDS, 1)
            asking = partial(relation_frame, connection, _BARE, [begins])
            ours, bare = (_median_seconds(call, chosen.repeats) for call in (looking, asking))
        users = sum(look.exposure.users.values())
        print(
            f"{days:>3} days, {days * EVENTS_A_DAY:>10,} interactions, {users:,} exposed users: "
            f"{ours:.2f} s of processors a look of four metrics with CUPED, "
            f"{bare:.3f} s the bare query"
        )


def _median_seconds(call: Callable[[], Any], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def _fill(connection: duckdb.DuckDBPyConnection, days: int) -> None:
    connection.execute("set TimeZone = 'UTC'; create schema interaction; create schema ml")
    begins = (ENDS - timedelta(days=days)).replace(tzinfo=None)
    connection.execute(_EVENTS, [begins, days * EVENTS_A_DAY])
    connection.execute(_SESSIONS)
    connection.execute(
        "create table interaction.user_preferences "
        "(user_id varchar, personalisation boolean, research boolean)"
    )


if __name__ == "__main__":
    main()
