"""What a person should be told about the models in use: that one is torn, or getting old."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.gate_rules import GateRules
from feedback_platform.learning.model_version import ModelUnusableError


def unusable_champion(lake: Lake, name: str) -> str | None:
    """Return what is wrong with the files of a model's champion, and what is served instead."""
    try:
        return champions.in_use(lake, name).warning
    except ModelUnusableError as error:
        return str(error)


def stale_champion(
    versions: pl.DataFrame, name: str, *, now: datetime, rules: GateRules
) -> list[str]:
    """Return why a model is not what it should be by now; nothing before the first version.

    Args:
        versions: all versions of the model (`version_table.VERSIONS_SCHEMA`), oldest first.
        name: of the model.
        now: UTC.
        rules: how old is too old, and how many refusals are too many.
    """
    found = []
    champion = versions.filter(pl.col("status") == "champion")
    if champion.height:
        row = champion.row(0, named=True)
        age = now - row["trained_at"]
        if age > rules.oldest_champion:
            days = rules.oldest_champion.total_seconds() / 86_400
            found.append(
                f"The champion of the model {name}, {row['version']}, was trained "
                f"{age.total_seconds() / 86_400:.1f} days ago; {days:g} are the most."
            )
    refused = _refused_last(versions)
    if len(refused) >= rules.refusals:
        found.append(
            f"The last {len(refused)} trainings of the model {name} were refused, "
            f"the newest because: {refused[-1]}"
        )
    return found


def _refused_last(versions: pl.DataFrame) -> list[str]:
    """Return the reasons of the refusals since a version was last accepted."""
    reasons: list[str] = []
    for status, reason in versions.select("status", "reason").iter_rows():
        reasons = [*reasons, reason] if status == "rejected" else []
    return reasons
