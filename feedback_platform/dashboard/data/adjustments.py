"""Adjustments: what trigger rules changed, on which evidence, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from feedback_platform.dashboard import tables
from feedback_platform.dashboard.choice import Choice
from feedback_platform.dashboard.snapshot import Snapshot


def ledger(snapshot: Snapshot, choice: Choice) -> pl.DataFrame:
    """Return the adjustments that were made within the period, the newest first."""
    sql = """
        select
            adjustment_id, "at", rule, scope, action, flag, before, after, status, reason,
            undone_at, evidence
        from metrics.adjustments
        where "at"::date between $first and $last
        order by "at" desc, adjustment_id
    """
    return snapshot.rows(tables.ADJUSTMENTS, sql, choice.days)


def evidence(text: str | None) -> pl.DataFrame:
    """Return `what` was measured and its `value`, of the evidence of one adjustment."""
    try:
        given = json.loads(text or "{}")
    except ValueError:
        given = {"evidence": text}
    rows = list(_flat(given)) if isinstance(given, dict) else [("evidence", str(given))]
    return pl.DataFrame(rows, schema={"what": pl.String(), "value": pl.String()}, orient="row")


def _flat(given: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        place = f"{path} › {name}" if path else name  # noqa: RUF001 - a sign between levels
        if isinstance(value, dict):
            yield from _flat(value, place)
        elif isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            for number, each in enumerate(value, start=1):
                yield from _flat(each, f"{place} {number}")
        else:
            yield place.replace("_", " "), _text(value)


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]  # noqa: RUF001
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
