"""The rows of `metrics.experiments`, `.experiment_results` and `.experiment_looks`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
import polars as pl

from feedback_platform.experiments.decision import Verdict
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.looks import Look, read_all_looks
from feedback_platform.experiments.running import ExperimentLog, RunningExperiments
from feedback_platform.lake.numbered_log import Store

RUNNING: Final = "running"
STOPPED: Final = "stopped"

_TIME: Final = pl.Datetime("us", "UTC")
_FIGURES: Final = (
    "control", "mean", "effect", "low", "high", "p_value", "sequential_low", "sequential_high",
    "sequential_p_value", "relative_effect", "relative_low", "relative_high",
    "sample_ratio_p_value",
)  # fmt: skip
EXPERIMENTS_SCHEMA: Final = pl.Schema(
    {
        "experiment_id": pl.String(),
        "hypothesis": pl.String(),
        "lever": pl.String(),
        "subject": pl.String(),
        "status": pl.String(),
        "started_at": _TIME,
        "ends_at": _TIME,
        "stopped_at": _TIME,
        "decision": pl.String(),
        "reason": pl.String(),
        "winner": pl.String(),
        "shipped": pl.String(),
        "control": pl.String(),
        "variants": pl.String(),
        "is_sequential": pl.Boolean(),
        "alpha": pl.Float64(),
        "users": pl.Int64(),
        "mixed_users": pl.Int64(),
        "unknown_users": pl.Int64(),
        "opted_out_users": pl.Int64(),
        "sample_ratio_p_value": pl.Float64(),
        "read_at": _TIME,
        "started_by": pl.String(),
        "stopped_by": pl.String(),
    }
)
RESULTS_SCHEMA: Final = pl.Schema(
    {
        "experiment_id": pl.String(),
        "metric": pl.String(),
        "variant": pl.String(),
        "kind": pl.String(),
        "n": pl.Int64(),
        **dict.fromkeys(_FIGURES, pl.Float64()),
        "decision": pl.String(),
        "reason": pl.String(),
        "read_at": _TIME,
    }
)


def experiment_tables(store: Store) -> dict[tuple[str, str], pl.DataFrame]:
    """Return what the lake keeps of experiments, by schema and table."""
    experiments = ExperimentLog(store).refresh()
    return tables_of(experiments, read_all_looks(store, experiments.started))


def tables_of(
    experiments: RunningExperiments, looks: Mapping[str, tuple[Look, ...]]
) -> dict[tuple[str, str], pl.DataFrame]:
    """Return the tables, by schema and name."""
    return {
        ("metrics", "experiments"): experiments_table(experiments, looks),
        ("metrics", "experiment_results"): results_table(looks),
        ("metrics", "experiment_looks"): looks_table(looks),
    }


def experiments_table(
    experiments: RunningExperiments, looks: Mapping[str, tuple[Look, ...]]
) -> pl.DataFrame:
    """Return a row for each experiment that was ever started, in that order."""
    rows = [
        _row(experiments, started, looks.get(key, ()))
        for key, started in experiments.started.items()
    ]
    return pl.DataFrame(rows, schema=EXPERIMENTS_SCHEMA)


def results_table(looks: Mapping[str, tuple[Look, ...]]) -> pl.DataFrame:
    """Return what was found last of each experiment: a row for each metric and variant."""
    return _results([known[-1] for known in looks.values() if known])


def looks_table(looks: Mapping[str, tuple[Look, ...]]) -> pl.DataFrame:
    """Return what was found day by day, in the form of the results."""
    return _results([look for known in looks.values() for look in known])


def _results(looks: list[Look]) -> pl.DataFrame:
    rows = [{**vars(result), "read_at": look.read_at} for look in looks for result in look.results]
    return pl.DataFrame(rows, schema=RESULTS_SCHEMA)


def _row(
    experiments: RunningExperiments, started: Started, looks: tuple[Look, ...]
) -> dict[str, Any]:
    experiment, look = started.experiment, looks[-1] if looks else None
    stopped = experiments.stopped.get(started.key)
    users = look.exposure.users if look else {}
    arms = {
        name: {"value": value, "share": experiment.split[name], "users": users.get(name, 0)}
        for name, value in experiment.variants.items()
    }
    found: dict[str, Any] = {"decision": Verdict.WAIT.value, "reason": "nothing was found yet"}
    if look is not None:
        found = {
            "decision": look.verdict,
            "reason": look.reason,
            "winner": look.winner,
            "users": sum(users.values()),
            "mixed_users": look.exposure.mixed,
            "unknown_users": look.exposure.unknown,
            "opted_out_users": look.exposure.opted_out,
            "sample_ratio_p_value": look.results[0].sample_ratio_p_value,
            "read_at": look.read_at,
        }
    if stopped is not None:
        found |= {
            "stopped_at": stopped.at,
            "decision": stopped.decision,
            "reason": stopped.author.reason,
            "stopped_by": stopped.author.by,
        }
    return {
        **dict.fromkeys(EXPERIMENTS_SCHEMA),
        "experiment_id": started.key,
        "hypothesis": experiment.hypothesis,
        "lever": experiment.lever.value,
        "subject": experiment.subject,
        "status": RUNNING if stopped is None else STOPPED,
        "started_at": started.at,
        "ends_at": started.ends_at,
        "shipped": experiments.shipments.get(started.key),
        "control": experiment.control,
        "variants": orjson.dumps(arms).decode(),
        "is_sequential": experiment.design.is_sequential,
        "alpha": experiment.design.alpha,
        "started_by": started.author.by,
        **found,
    }
