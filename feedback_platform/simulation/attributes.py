"""What a user says of themselves: plan, company, role; only weakly related to what they like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.simulation.population import Integers


@dataclass(frozen=True)
class Attribute:
    """A property of users.

    Attributes:
        name: as in `properties`.
        values, shares: what it can be, and how often it is.
        tilt: how many times more often the user's group has the value at the group's own index.
    """

    name: str
    values: tuple[str, ...]
    shares: tuple[float, ...]
    tilt: float


ATTRIBUTES: Final = (
    Attribute("plan", ("free", "starter", "team", "enterprise"), (0.45, 0.3, 0.18, 0.07), 1.0),
    Attribute(
        "company_size", ("1-10", "11-50", "51-200", "201-1000", "1000+"),
        (0.35, 0.28, 0.2, 0.12, 0.05), 1.15,
    ),
    Attribute(
        "role", ("engineer", "analyst", "manager", "designer", "operations"),
        (0.26, 0.2, 0.22, 0.14, 0.18), 1.35,
    ),
)  # fmt: skip

COUNTRIES: Final = ("US", "DE", "GB", "FR", "IN", "BR", "NL", "JP", "CA", "PL")
_COUNTRY_SHARES: Final = (0.34, 0.13, 0.12, 0.08, 0.1, 0.06, 0.05, 0.04, 0.05, 0.03)


def user_columns(groups: Integers, random: np.random.Generator) -> pl.DataFrame:
    """Return `properties` (JSON text) and `country`, one row a user."""
    drawn = pl.DataFrame(
        {attribute.name: _draw(attribute, groups, random) for attribute in ATTRIBUTES}
    )
    countries = random.choice(len(COUNTRIES), size=len(groups), p=_COUNTRY_SHARES)
    return drawn.select(
        pl.struct(pl.all()).struct.json_encode().alias("properties"),
        pl.Series("country", COUNTRIES).gather(countries).alias("country"),
    )


def _draw(attribute: Attribute, groups: Integers, random: np.random.Generator) -> pl.Series:
    rows = np.tile(attribute.shares, (int(groups.max()) + 1, 1))
    for group, row in enumerate(rows):
        row[group % len(row)] *= attribute.tilt
    cumulative = np.cumsum(rows / rows.sum(axis=1, keepdims=True), axis=1)[groups]
    place = (random.random(len(groups))[:, None] >= cumulative).sum(axis=1)
    return pl.Series(attribute.values).gather(np.minimum(place, len(attribute.values) - 1))
