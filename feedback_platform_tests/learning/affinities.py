"""Affinities of users to four categories, with planted groups."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from feedback_platform.learning.segments import Segmentation, segment_users

CATEGORIES = ["alerts", "imports", "reports", "workflows"]


def affinities_of(users: dict[str, list[float]]) -> pl.DataFrame:
    rows = [
        (user, category, share)
        for user, shares in users.items()
        for category, share in zip(CATEGORIES, shares, strict=True)
        if share > 0
    ]
    return pl.DataFrame(rows, schema=["user_id", "category", "affinity"], orient="row")


def planted(
    sizes: tuple[int, ...] = (90, 60, 40), seed: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Groups of users with one favourite category each, and which group each user is from."""
    generator = np.random.default_rng(seed)
    users: dict[str, list[float]] = {}
    groups = []
    for group, size in enumerate(sizes):
        weights = np.ones(4)
        weights[group] = 12
        for shares in generator.dirichlet(weights, size):
            user = f"u{generator.integers(1 << 40):013d}"
            users[user] = shares.tolist()
            groups.append((user, f"group {group}"))
    truth = pl.DataFrame(groups, schema=["user_id", "segment_id"], orient="row")
    return affinities_of(users), truth


AFFINITIES, TRUTH = planted()


@cache
def segmented(algorithm: str) -> Segmentation:
    """`AFFINITIES` in segments, which takes a second; for all who only look at them."""
    return segment_users(AFFINITIES, seed=1, algorithm=algorithm)
