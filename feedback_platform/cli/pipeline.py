"""process, train and demo: the loop once, without servers."""

from __future__ import annotations

import time
from typing import Any

import click

from feedback_platform.cli.demonstration import demo_parameters, planted_index, write_demo_data
from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.cli.running import JobRunner
from feedback_platform.cli.summary import accounted, built, print_summary
from feedback_platform.settings import Settings


@click.command(epilog="Example: feedback-platform process --data-dir ./data")
@with_settings
@with_json
def process(settings: Settings, as_json: bool) -> None:
    """Bring everything that has landed through to the published tables, once."""
    show(_processed(JobRunner(settings).process()), as_json=as_json)


@click.command(epilog="Example: feedback-platform train --data-dir ./data")
@with_settings
@with_json
def train(settings: Settings, as_json: bool) -> None:
    """Retrain, evaluate, promote, segment, recommend, once."""
    show(_trained(JobRunner(settings).train()), as_json=as_json)


@click.command(epilog="Example: feedback-platform demo --users 500 --days 14")
@with_settings
@with_json
@click.option("--users", type=click.IntRange(min=1), help="Simulated users. [default: 2000]")
@click.option("--days", type=click.IntRange(min=1), help="Simulated days. [default: 28]")
@click.option(
    "--seed", type=click.IntRange(min=0), help="Another seed, another story. [default: 1]"
)
def demo(
    settings: Settings,
    as_json: bool,
    users: int | None,
    days: int | None,
    seed: int | None,
) -> None:
    """Run the whole loop once on a simulated SaaS product, and tell what was built."""
    started = time.monotonic()
    parameters = demo_parameters(settings, users=users, days=days, seed=seed)
    write_demo_data(settings, parameters)
    runner = JobRunner(settings)
    processed = _processed(runner.process())
    trained = _trained(runner.train(trigger="initial"))
    outcome = {
        **processed,
        **accounted(settings),
        **trained,
        "adjusted_rand_index": round(planted_index(settings, parameters), 3),
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        show(outcome, as_json=True)
    else:
        print_summary(settings, outcome, built(settings))


def _processed(seen: dict[str, Any]) -> dict[str, Any]:
    return {
        "raw_objects": seen["clean/events/raw objects"],
        "lines": seen["clean/events/lines"],
        "clean": seen["clean/events/clean"],
        "quarantined": seen["quarantine/events/quarantined"],
        "interactions": seen["interaction/interactions/dagster/row_count"],
        "feedback": seen["feedback/user_feedback/dagster/row_count"],
        "drift_events_found": seen["metrics/drift_events/found now"],
        "published": seen["published/feedback/database"],
    }


def _trained(seen: dict[str, Any]) -> dict[str, Any]:
    model = "models/recommender"
    return {
        "model_version": seen[f"{model}/version"],
        "promoted": seen[f"{model}/promoted"],
        "reason": seen[f"{model}/reason"],
        "ndcg_at_10": round(seen[f"{model}/ndcg_at_10"], 4),
        "popularity_ndcg_at_10": round(seen[f"{model}/popularity_ndcg_at_10"], 4),
        "evaluated_users": seen[f"{model}/evaluated_users"],
        "segments": seen["models/segments/segments"],
        "recommendations": seen["ml/recommendations/dagster/row_count"],
    }
