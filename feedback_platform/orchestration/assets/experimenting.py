"""Experiments: what the running ones are found to be after a batch, and ending those decided."""

from collections.abc import Iterator
from html import escape
from typing import Any

import dagster as dg
import duckdb

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.installation import InstalledExperiments, programme_of
from feedback_platform.experiments.looking import Looker
from feedback_platform.experiments.looks import read_looks
from feedback_platform.experiments.result_tables import tables_of
from feedback_platform.experiments.running import RunningExperiments
from feedback_platform.experiments.stopping import Ending
from feedback_platform.newest_event import newest_event
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.connection import (
    exclusive_warehouse,
    open_warehouse,
    single_row,
)
from feedback_platform.warehouse.experiment_tables import ExperimentTables
from feedback_platform.warehouse.loading import replace_tables

_DEPENDENCIES = [keys.INTERACTIONS, keys.SESSIONS, keys.USER_PREFERENCES]


class ExperimentConfig(dg.Config):
    """What a person asks for; as it is, the running experiments are looked at.

    Attributes:
        start: an experiment of the file that FEEDBACK_EXPERIMENTS names.
        stop: an experiment that runs, or one that is over, to ship a variant of it.
        ship: the variant that everybody gets.
        override: why, although what was found does not say so.
        reason: why; kept in the history.
        by: who.
    """

    start: str = ""
    stop: str = ""
    ship: str = ""
    override: str = ""
    reason: str = ""
    by: str = "person:dagster"


@dg.multi_asset(
    name="experiments",
    specs=[
        dg.AssetSpec(
            key,
            deps=_DEPENDENCIES,
            group_name=keys.MEASURE,
            owners=keys.OWNERS,
            kinds={"python", "duckdb"},
            description=description,
        )
        for key, description in (
            (keys.EXPERIMENTS, "Every experiment that was started, and what became of it."),
            (keys.EXPERIMENT_RESULTS, "What was found last, of each metric and variant."),
            (keys.EXPERIMENT_LOOKS, "What was found day by day, for the sequence."),
        )
    ],
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
)
def experiments(
    context: dg.AssetExecutionContext, platform: PlatformResource, config: ExperimentConfig
) -> Iterator[dg.MaterializeResult]:
    """Do what is asked for, look at the experiments for which it is time, end those decided."""
    lake, path = platform.lake(), platform.settings.warehouse_path
    with reported_failures():
        installed = InstalledExperiments(lake, platform.now)
        do_what_is_asked(platform, installed, config, is_again=context.retry_number > 0)
        looker = Looker(lake, installed.shipper, platform.now)
        looked: list[str] = []
        if looker.waiting:
            with exclusive_warehouse(path), open_warehouse(path) as connection:
                looked = _look(connection, looker)
        done = looker.conclude()
        tables = tables_of(looker.experiments, looker.looks)
        # An installation without experiments has nothing to write, and had nothing before.
        if looker.experiments.started:
            with exclusive_warehouse(path), open_warehouse(path) as connection:
                replace_tables(connection, tables)
    for problem in (*looker.experiments.problems, *looker.problems):
        context.log.warning(problem)
    for outcome in done:
        context.log.info(outcome)
    shown: dict[tuple[str, str], dict[str, Any]] = {
        ("metrics", "experiments"): {
            "experiments": dg.MetadataValue.md(experiments_as_markdown(looker)),
            "running": len(looker.experiments.running),
            "looked at": len(looked),
            "ended": len(done),
            "problems": len(looker.problems),
        }
    }
    for (schema, name), rows in tables.items():
        metadata = {"dagster/row_count": rows.height, **shown.get((schema, name), {})}
        yield dg.MaterializeResult(asset_key=dg.AssetKey([schema, name]), metadata=metadata)


def experiments_as_markdown(looker: Looker) -> str:
    """Return what is known of each experiment, as a table."""
    known = looker.experiments
    if not known.started:
        return "No experiment was started yet."
    lines = ["| experiment | status | users | decision | why |", f"{'|---' * 5}|"]
    for key in list(known.started)[::-1]:
        look = looker.looks[key][-1] if looker.looks[key] else None
        users = f"{sum(look.exposure.users.values()):,}" if look else "none"
        decision = look.verdict if look else "wait"
        reason = _cell(look.reason) if look else "nothing was found yet"
        lines.append(f"| {key} | {_status(known, key)} | {users} | {decision} | {reason} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return escape(" ".join(text.split())).replace("|", "&#124;")


def _status(known: RunningExperiments, key: str) -> str:
    if key in known.running:
        return "running"
    shipped = known.shipments.get(key)
    return f"over, {shipped} shipped" if shipped else "over"


def do_what_is_asked(
    platform: PlatformResource,
    installed: InstalledExperiments,
    config: ExperimentConfig,
    *,
    is_again: bool,
) -> None:
    """Start or stop what is asked for; a step that is tried again may have done so already."""
    now = installed.log.refresh()
    if is_again and (
        config.start in now.running or (config.stop in now.stopped and not config.ship)
    ):
        return
    if config.start and config.stop:
        raise InvalidInputError("Fill in start or stop, not both.")
    if (config.ship or config.override) and not config.stop:
        raise InvalidInputError("Fill in stop, too: it says of which experiment a variant ships.")
    if not (config.start or config.stop):
        return
    author = Author(config.by, config.reason, platform.now())
    if config.start:
        installed.start(programme_of(platform.settings.experiments), config.start, author)
        return
    looks = read_looks(platform.lake(), config.stop)
    ending = Ending(author, platform.now(), config.ship, config.override)
    installed.stop(config.stop, looks[-1] if looks else None, ending)


def _look(connection: duckdb.DuckDBPyConnection, looker: Looker) -> list[str]:
    """Look at what it is time for; at nothing before the first event."""
    tables = ExperimentTables(connection)
    newest = newest_event(tables.query)
    if newest is None:
        return []
    (batch,) = single_row(connection, "select completed_through from pipeline.state")
    return looker.look(tables, newest, int(batch))
