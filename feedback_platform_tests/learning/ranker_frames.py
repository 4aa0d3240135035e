"""A product whose users take things in rows: what the ranker can learn and the sources cannot."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from feedback_platform.learning.ranker_features import FEATURES
from feedback_platform.learning.ranker_history import SHOWN_SCHEMA
from feedback_platform.learning.ranker_impressions import Examples
from feedback_platform.learning.training_data import SCORES_SCHEMA
from feedback_platform_tests.learning.frames import START

SOURCES = ("first", "second")


def shown_of(*rows: tuple[str, str, float, bool]) -> pl.DataFrame:
    """Rows of user, item, hours after the start, whether it was clicked."""
    return pl.DataFrame(
        [(user, item, START + timedelta(hours=hours), hit) for user, item, hours, hit in rows],
        schema=SHOWN_SCHEMA,
        orient="row",
    )


def chains(users: int = 120, items: int = 40, length: int = 12, seed: int = 0) -> pl.DataFrame:
    """Each user begins somewhere on a ring of items, and likes them one after the other."""
    generator = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        first = int(generator.integers(items))
        for step in range(length):
            item = (first + step) % items
            at = START + timedelta(hours=user + step)
            rows.append((f"u{user:03d}", f"i{item:03d}", 0.9, 1.0, at))
    return pl.DataFrame(rows, schema=SCORES_SCHEMA, orient="row")


def drawn_examples(
    users: int = 200, candidates: int = 30, seed: int = 0
) -> tuple[Examples, np.ndarray]:
    """Examples whose true probability follows from the first source and one feature more.

    Returns:
        the examples, and the true probability of each row.
    """
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(users * candidates, len(SOURCES) + len(FEATURES)))
    truth = 1 / (1 + np.exp(1.5 - rows[:, 0] - 1.5 * (rows[:, 5] > 0.5)))
    labels = generator.random(len(truth)) < truth
    examples = Examples.plain(
        rows.astype(np.float32),
        labels,
        np.full(users, candidates),
        tuple(f"u{user:03d}" for user in range(users)),
    )
    return examples, truth
