"""experiments plan: what an experiment needs before it is started."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
import orjson
import polars as pl

from feedback_platform.adjustment.rules.measurement import Span, measure
from feedback_platform.adjustment.rules.metrics import METRICS as OBSERVED
from feedback_platform.cli.options import with_json, with_settings
from feedback_platform.durations import written
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import Experiment, Programme
from feedback_platform.experiments.definitions_file import load_experiments
from feedback_platform.experiments.duration import Plan
from feedback_platform.experiments.duration import plan as planned
from feedback_platform.experiments.estimates import estimate
from feedback_platform.experiments.metrics import METRICS, Kind
from feedback_platform.experiments.planning import Baseline
from feedback_platform.experiments.sums import of_sample
from feedback_platform.newest_event import newest_event
from feedback_platform.settings import Settings
from feedback_platform.warehouse.published import open_published, relation_frame

_INDENT: Final = " " * 4


@click.command(
    epilog="Example: feedback-platform experiments plan docs/experiments.toml cards-at-home "
    "--baseline converting_users=0.2 --users 20000"
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("key", required=False)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="METRIC=MEAN[,DEVIATION]",
    help="What a metric is now, and its standard deviation from user to user where it is no share "
    "of users.  [default: as measured in the published tables]",
)
@click.option(
    "--users",
    type=click.IntRange(min=1),
    help="How many of the audience come within the horizon.  [default: as measured]",
)
@click.option(
    "--correlation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="How a metric goes with the users' own past, which CUPED makes use of.  [default: 0]",
)
@with_settings
@with_json
def plan(
    settings: Settings,
    as_json: bool,
    correlation: float,
    users: int | None,
    baselines: tuple[str, ...],
    key: str | None,
    file: Path,
) -> None:
    """Show how many users the experiments of FILE take, or KEY alone, and whether they come.

    What is measured is measured of everybody, whatever the audience, over as long as the horizon.
    """
    programme = load_experiments(file)
    chosen = _chosen(programme, key, file)
    given = dict(_baseline(text) for text in baselines)
    plans = []
    for experiment in chosen:
        for goal in experiment.primary:
            baseline, seen = (
                (given[goal.metric], None)
                if goal.metric in given
                else _measured(settings, goal.metric, experiment.design.horizon)
            )
            baseline = baseline.explained(correlation)
            plans.append(planned(experiment, programme.holdout, goal, baseline, users or seen))
    if as_json:
        click.echo(orjson.dumps([{**asdict(each), "needed": each.needed} for each in plans]))
        return
    for each in plans:
        _print_plan(each, programme.experiments[each.experiment])


def _chosen(programme: Programme, key: str | None, file: Path) -> Iterable[Experiment]:
    if key is None:
        return programme.experiments.values()
    if key not in programme.experiments:
        known = ", ".join(programme.experiments) or "none"
        raise InvalidInputError(f"{file} has no experiment {key!r}; it has {known}.")
    return [programme.experiments[key]]


def _baseline(text: str) -> tuple[str, Baseline]:
    metric, _, numbers = text.partition("=")
    accepted = (
        f"--baseline is {text!r}; it accepts a metric with its mean, such as converting_users=0.2, "
        "and the standard deviation of one that is no share of users, such as revenue_per_user=4,19"
    )
    if metric not in METRICS:
        raise InvalidInputError(f"{accepted}. Metrics are {', '.join(METRICS)}.")
    kind = METRICS[metric].kind
    try:
        mean, *deviation = (float(number) for number in numbers.split(","))
    except ValueError as error:
        raise InvalidInputError(f"{accepted}.") from error
    if kind is Kind.SHARE:
        if deviation or not 0 < mean < 1:
            raise InvalidInputError(f"{accepted}; a share is above 0 and below 1.")
        return metric, Baseline.of_share(mean)
    if len(deviation) != 1 or not (math.isfinite(mean) and 0 < deviation[0] < math.inf):
        raise InvalidInputError(f"{accepted}.")
    return metric, Baseline(mean, deviation[0] ** 2, kind)


def _measured(settings: Settings, metric: str, horizon: timedelta) -> tuple[Baseline, int]:
    """Return what a metric was lately, and how many users were seen, in as long as the horizon."""
    by_hand = f"say what it is: --baseline {metric}=…"
    if metric not in OBSERVED:
        raise InvalidInputError(f"{metric} is not measured before experiments run; {by_hand}")
    with open_published(settings.published_path) as connection:

        def query(sql: str, parameters: list[Any]) -> pl.DataFrame:
            return relation_frame(connection, sql, parameters)

        newest = newest_event(query)
        ends = None if newest is None else newest - OBSERVED[metric].settling
        found = [] if ends is None else measure(query, metric, {}, Span(ends - horizon, ends))
    kind = METRICS[metric].kind
    for _, sample in found:
        known = estimate(of_sample(sample), kind)
        if known is not None:
            return Baseline.of(known, kind), known.users
    raise InvalidInputError(f"Nothing was measured of {metric} in {written(horizon)}; {by_hand}")


def _print_plan(each: Plan, experiment: Experiment) -> None:
    design = experiment.design
    horizon = written(design.horizon)
    arms = ", ".join(f"{name} {users:,}" for name, users in each.arms.items())
    click.echo(
        f"{each.experiment}: {each.metric} is {each.baseline:.4g}, to find "
        f"{each.minimum_effect:+g} with power {design.power:g} at alpha {design.alpha:g}"
    )
    tuned = f"{each.sequential_tuned:,} with tuned_for = {each.tuned_for}"
    for line in (
        f"read once, after {horizon}: {each.once:,} users",
        f"read at any time: {each.sequential:,} users at the latest ({tuned})",
        f"it is read {'at any time' if design.is_sequential else 'once'}, so it takes {arms}",
        _coming(each, horizon),
    ):
        click.echo(f"{_INDENT}{line}")


def _coming(each: Plan, horizon: str) -> str:
    """Return whether enough users come."""
    if each.available is None:
        return "how long that takes, --users tells"
    if each.days is None:
        return f"nobody takes part within {horizon}"
    verdict = "enough" if each.available >= each.needed else "too few"
    found = "nothing" if each.detectable_effect is None else f"{each.detectable_effect:+.3g}"
    return (
        f"{each.available:,} take part within {horizon}, {verdict}: they find {found}; about "
        f"{each.days:,} days are needed"
    )
