"""Small frames of the shapes that learning reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from feedback_platform.learning.training_data import ITEMS_SCHEMA, SCORES_SCHEMA, USERS_SCHEMA

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def scores_of(*rows: tuple[str, str, float, float, float]) -> pl.DataFrame:
    """Rows of user, item, score, confidence, hours after the start."""
    return pl.DataFrame(
        [(user, item, score, trust, at(hours)) for user, item, score, trust, hours in rows],
        schema=SCORES_SCHEMA,
        orient="row",
    )


def items_of(*rows: tuple[str, str | None, Sequence[str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ITEMS_SCHEMA, orient="row")


NO_ITEMS = items_of()
NO_USERS = pl.DataFrame(schema=USERS_SCHEMA)


def two_tastes(users: int = 80, items: int = 24, seed: int = 0) -> pl.DataFrame:
    """Half the users like even items, half odd ones; each has seen about half of its own kind."""
    generator = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own = [item for item in range(items) if item % 2 == user % 2]
        for item in generator.permutation(own)[: len(own) // 2]:
            hours = float(generator.uniform(0, 600))
            rows.append((f"u{user:03d}", f"i{item:03d}", 0.9, 1.0, hours))
        other = int(generator.choice([item for item in range(items) if item % 2 != user % 2]))
        rows.append((f"u{user:03d}", f"i{other:03d}", 0.1, 1.0, float(generator.uniform(0, 600))))
    return scores_of(*rows)
