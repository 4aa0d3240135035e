"""What is measured of all that is published: what signals are worth, and the health of the loop.

It costs what is stored, so it runs beside the nightly training and by no micro-batch. As there,
the work holds no lock: its outcome is kept in the lake, and only the copy takes its turn.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

import dagster as dg
import polars as pl

from feedback_platform.monitoring.loop_health import loop_health
from feedback_platform.monitoring.measured_tables import keep_measured, measured_tables
from feedback_platform.monitoring.signal_quality import DAYS_READ, signal_quality
from feedback_platform.monitoring.signal_weights import propose_weights
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse import measuring_tables, training_tables
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.loading import replace_tables

_TABLES: Final = {
    keys.SIGNAL_QUALITY: (
        keys.MEASURED_SIGNALS,
        "How each feedback signal goes together with later retention and conversion of its users.",
    ),
    keys.SIGNAL_WEIGHTS: (
        keys.MEASURED_SIGNALS,
        "Confidence weights that this speaks for: a proposal, never applied by itself.",
    ),
    keys.LOOP_HEALTH: (
        keys.MEASURED_LOOP,
        "By day: coverage, popularity bias, exploration and how much alike each user is shown.",
    ),
}


@dg.asset(
    key=keys.MEASURED_SIGNALS,
    deps=[keys.INTERACTIONS, keys.USER_FEEDBACK, keys.USER_PREFERENCES],
    group_name=keys.MEASURE,
    owners=keys.OWNERS,
    kinds={"python"},
    retry_policy=RETRIES,
    description=(
        "What each signal says of the days to come, in windows without a leak, and the weights "
        "that it speaks for; in the lake."
    ),
)
def signals(platform: PlatformResource) -> dg.MaterializeResult:
    """Correlate signals with what their users did later, and propose weights."""
    lake = platform.lake()
    with reported_failures():
        with training_tables.open_for_training(platform.settings.published_path) as publication:
            as_of = first_open_day(measuring_tables.newest_day(publication), platform.now())
            days = measuring_tables.signal_days(publication, as_of, DAYS_READ)
            switched_off = measuring_tables.signals_off(publication)
            weights = training_tables.signal_weights(publication)
        quality = signal_quality(days, switched_off, weights, as_of)
        proposed = propose_weights(quality, weights)
        keep_measured(lake, "signal_quality", quality)
        keep_measured(lake, "signal_weights", proposed)
    return dg.MaterializeResult(
        metadata={
            "as of": str(as_of),
            "users": max(quality["users"].to_list(), default=0),
            "quality": dg.MetadataValue.md(quality_as_markdown(quality)),
            "weights": dg.MetadataValue.md(weights_as_markdown(proposed)),
        }
    )


@dg.asset(
    key=keys.MEASURED_LOOP,
    deps=[keys.INTERACTIONS, keys.ITEMS, keys.USER_PREFERENCES, keys.QUARANTINE_DAILY],
    group_name=keys.MEASURE,
    owners=keys.OWNERS,
    kinds={"python"},
    retry_policy=RETRIES,
    description="Whether the loop narrows what users see, for each day; in the lake.",
)
def loop(platform: PlatformResource) -> dg.MaterializeResult:
    """Hold what was shown against what there was to show."""
    with reported_failures():
        with training_tables.open_for_training(platform.settings.published_path) as publication:
            tables = (
                measuring_tables.shown_days(publication),
                measuring_tables.shown_items(publication),
                measuring_tables.chosen_items(publication),
                measuring_tables.catalogue(publication),
                measuring_tables.received_days(publication),
            )
        health = loop_health(*tables)
        keep_measured(platform.lake(), "loop_health_daily", health)
    newest = health.tail(1).to_dicts()
    shown = {name: value for row in newest for name, value in row.items() if value is not None}
    return dg.MaterializeResult(
        metadata={"days": health.height, **{f"newest {k}": str(v) for k, v in shown.items()}}
    )


@dg.multi_asset(
    name="measured_tables",
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    specs=[
        dg.AssetSpec(
            key,
            deps=[source],
            group_name=keys.MEASURE,
            owners=keys.OWNERS,
            kinds={"duckdb"},
            description=description,
        )
        for key, (source, description) in _TABLES.items()
    ],
)
def measured(platform: PlatformResource) -> Iterator[dg.MaterializeResult]:
    """Copy what was measured last into the warehouse."""
    path = platform.settings.warehouse_path
    with reported_failures():
        tables = measured_tables(platform.lake())
        with exclusive_warehouse(path), open_warehouse(path) as connection:
            replace_tables(connection, tables)
    for key in _TABLES:
        rows = tables[key.path[0], key.path[1]].height
        yield dg.MaterializeResult(asset_key=key, metadata={"dagster/row_count": rows})


def first_open_day(newest: date | None, now: datetime) -> date:
    """Return the first UTC day of which not everything is known: today, or after the newest."""
    return now.date() if newest is None else min(now.date(), newest + timedelta(days=1))


def quality_as_markdown(quality: pl.DataFrame) -> str:
    """Return what each signal says, as a table."""
    if quality.is_empty():
        return "Too few users, or too few days, to tell."
    lines = [
        "| signal | target | days ahead | users | correlation | beside visits | p |",
        f"{'|---' * 7}|",
    ]
    for row in quality.iter_rows(named=True):
        figures = (
            f"{row[f'{of}correlation']:+.3f} ({row[f'{of}low']:+.3f} to {row[f'{of}high']:+.3f})"
            for of in ("", "partial_")
        )
        lines.append(
            f"| {row['signal']} | {row['target']} | {row['horizon_days']} | {row['users']:,} | "
            f"{' | '.join(figures)} | {row['partial_p_value']:.2g} |"
        )
    return "\n".join(lines)


def weights_as_markdown(proposed: pl.DataFrame) -> str:
    """Return the proposed weights, as a table."""
    if proposed.is_empty():
        return "Nothing was measured to propose weights from."
    lines = ["| signal | in force | proposed | evidence |", "|---|---|---|---|"]
    lines += [
        f"| {row['signal']} | {row['current_weight']:.3f} | {row['proposed_weight']:.3f} | "
        f"{row['evidence']} |"
        for row in proposed.iter_rows(named=True)
    ]
    return "\n".join(lines)
