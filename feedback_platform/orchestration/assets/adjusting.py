"""Trigger rules: what the product changes by itself, after every batch."""

from datetime import UTC, datetime

import dagster as dg

from feedback_platform.adjustment.rules.adjusting import Adjuster
from feedback_platform.adjustment.rules.definition import Rule
from feedback_platform.adjustment.rules.evaluation import Evaluation, is_new, keep, last_evaluation
from feedback_platform.adjustment.rules.ledger import Ledger, adjustments_table
from feedback_platform.adjustment.rules.measurement import OPTED_OUT
from feedback_platform.adjustment.rules.observing import Observation, observe
from feedback_platform.errors import InvalidInputError
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
    deps=[keys.INTERACTIONS, keys.SESSIONS, keys.ITEMS],
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
        adjuster = Adjuster(ledger, changers(platform, _now), _now)
        adjuster.finish()
        evaluation = last_evaluation(lake)
        if config.undo:
            if not config.reason.strip():
                raise InvalidInputError("Say why, in reason: it is shown beside the adjustment.")
            adjuster.undo(config.undo, config.reason.strip())
        else:
            rules = platform.adjustment_rules()
            observation = _observed(platform, ledger, rules)
            # Acting holds no lock: it may mean to call somebody.
            if observation is not None:
                evaluation = keep(lake, rules, observation, adjuster.act(observation))
        ledger.keep_book()
        with exclusive_warehouse(path), open_warehouse(path) as connection:
            table = adjustments_table(ledger.book)
            replace_tables(connection, {("metrics", "adjustments"): table})
    for problem in adjuster.problems:
        context.log.warning(problem)
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
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def _observed(
    platform: PlatformResource, ledger: Ledger, rules: tuple[Rule, ...]
) -> Observation | None:
    """Measure; None when these rules have seen the newest batch, or there is nothing yet."""
    path = platform.settings.warehouse_path
    with exclusive_warehouse(path), open_warehouse(path) as connection:
        (batch,) = single_row(connection, "select completed_through from pipeline.state")
        if not is_new(platform.lake(), rules, int(batch)):
            return None
        connection.execute(OPTED_OUT)
        return observe(
            lambda sql, parameters: relation_frame(connection, sql, parameters),
            rules,
            ledger.book,
            int(batch),
        )


def _now() -> datetime:
    return datetime.now(UTC)
