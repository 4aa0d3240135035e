"""Trigger rules: what the product changes by itself, after every batch."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

import dagster as dg
import duckdb
import polars as pl

from feedback_platform.adjustment.rules.adjusting import Adjuster
from feedback_platform.adjustment.rules.book import Book
from feedback_platform.adjustment.rules.definition import Rule
from feedback_platform.adjustment.rules.evaluation import Evaluation, is_new, keep, last_evaluation
from feedback_platform.adjustment.rules.ledger import Ledger, adjustments_table
from feedback_platform.adjustment.rules.observing import Observation, observe
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.adjustment_changers import changers
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.connection import (
    exclusive_warehouse,
    open_warehouse,
    single_row,
)
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform.warehouse.published import relation_frame

_TABLE: Final = ("metrics", "adjustments")


class AdjustmentConfig(dg.Config):
    """What a person takes back; as it is, the rules are evaluated.

    Attributes:
        undo: the adjustment_id.
        reason: why; shown beside the adjustment.
    """

    undo: str = ""
    reason: str = ""


@dg.asset(
    key=keys.ADJUSTMENTS,
    deps=[keys.INTERACTIONS, keys.SESSIONS, keys.ITEMS, keys.USER_PREFERENCES],
    group_name=keys.MEASURE,
    owners=keys.OWNERS,
    kinds={"python", "duckdb"},
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    description=(
        "What trigger rules changed, why, and what became of it. Each batch is held against the "
        "rules once."
    ),
)
def adjustments(
    context: dg.AssetExecutionContext, platform: PlatformResource, config: AdjustmentConfig
) -> dg.MaterializeResult:
    """Finish what is unfinished, take back what is asked for, evaluate the rules, and act."""
    lake, path = platform.lake(), platform.settings.warehouse_path
    with reported_failures():
        ledger = Ledger(lake)
        adjuster = Adjuster(ledger, changers(platform, platform.now), platform.now)
        adjuster.finish()
        if config.undo:
            if not config.reason.strip():
                raise InvalidInputError("Say why, in reason: it is shown beside the adjustment.")
            newest = last_evaluation(lake).newest_event
            until = datetime.fromisoformat(newest) if newest else None
            adjuster.undo(config.undo, config.reason.strip(), until)
        rules, loaded = None if config.undo else _rules(platform, adjuster), ledger.book
        observation = None
        with exclusive_warehouse(path), open_warehouse(path) as connection:
            replace_tables(connection, {_TABLE: adjustments_table(loaded)})
            if rules is not None:
                observation = _observed(connection, lake, loaded, rules)
        # Acting holds no lock: it may mean to call somebody.
        evaluation = (
            last_evaluation(lake)
            if rules is None or observation is None
            else keep(lake, rules, observation, adjuster.act(observation))
        )
        if ledger.book is not loaded:
            with exclusive_warehouse(path), open_warehouse(path) as connection:
                replace_tables(connection, {_TABLE: adjustments_table(ledger.book)})
        ledger.keep_book()
    for problem in adjuster.problems:
        context.log.warning(problem)
    table = adjustments_table(ledger.book)
    states = table["status"].value_counts()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": table.height,
            "rules": dg.MetadataValue.md(rules_as_markdown(evaluation)),
            "newest batch": evaluation.batch,
            "problems": len(adjuster.problems),
            **dict(states.iter_rows()),
        }
    )


def rules_as_markdown(evaluation: Evaluation) -> str:
    """Return what each rule found, as a table."""
    if not evaluation.rows:
        return "No rule has found anything to measure yet."
    lines = [
        "| rule | where | metric | value | interval | n | threshold | verdict |",
        f"{'|---' * 8}|",
    ]
    for row in evaluation.rows:
        value = "none" if row.value is None else f"{row.value:.4g}"
        bounds = (row.low, row.high)
        interval = " to ".join("anything" if bound is None else f"{bound:.4g}" for bound in bounds)
        cells = (
            row.rule, row.scope, row.metric, value, interval, f"{row.count:,}",
            f"{row.comparison} {row.threshold:g}", row.verdict,
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return a text, some of which a sender of events may have made up, as a cell of a table."""
    return escape(" ".join(text.split())).replace("|", "&#124;")


def _rules(platform: PlatformResource, adjuster: Adjuster) -> Sequence[Rule] | None:
    """Read the rules; None where a file that changed since the start has a mistake.

    All tables are published behind this step: a mistake in a rule stops rules, and nothing else.
    """
    try:
        return platform.adjustment_rules()
    except InvalidInputError as error:
        adjuster.problems.append(f"No rule is evaluated: {error}")
        return None


def _observed(
    connection: duckdb.DuckDBPyConnection, lake: Lake, book: Book, rules: Sequence[Rule]
) -> Observation | None:
    """Measure; None when these rules have seen the newest batch, or there is nothing to see."""
    (batch,) = single_row(connection, "select completed_through from pipeline.state")
    if not is_new(lake, rules, int(batch)):
        return None

    def query(sql: str, parameters: list[Any]) -> pl.DataFrame:
        return relation_frame(connection, sql, parameters)

    return observe(query, rules, book, int(batch))
