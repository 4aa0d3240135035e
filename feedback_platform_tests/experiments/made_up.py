"""Experiments in which nothing is changed, over made-up users who differ as real ones do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from feedback_platform.experiments.metrics import Kind
from feedback_platform.experiments.sums import (
    COUNT,
    COUNT_BEFORE,
    TOTAL,
    TOTAL_BEFORE,
    Sums,
    pairs,
)

Numbers = npt.NDArray[np.float64]

LOOKS: Final = 20
_CHUNK: Final = 250


@dataclass(frozen=True)
class Measured:
    """A metric of the made-up users.

    Attributes:
        kind: of the metric.
        figures: what is summed up → of which column.
    """

    kind: Kind
    figures: Mapping[str, str]

    @property
    def is_adjusted(self) -> bool:
        """Whether the users' past is known."""
        return TOTAL_BEFORE in self.figures


MEASURED: Final = {
    "share": Measured(Kind.SHARE, {TOTAL: "converted"}),
    "mean": Measured(Kind.MEAN, {TOTAL: "revenue"}),
    "mean, CUPED": Measured(Kind.MEAN, {TOTAL: "revenue", TOTAL_BEFORE: "revenue_before"}),
    "ratio": Measured(Kind.RATIO, {TOTAL: "clicks", COUNT: "impressions"}),
    "ratio, CUPED": Measured(
        Kind.RATIO,
        {
            TOTAL: "clicks",
            COUNT: "impressions",
            TOTAL_BEFORE: "clicks_before",
            COUNT_BEFORE: "impressions_before",
        },
    ),
}


def population(users: int, random: np.random.Generator) -> dict[str, Numbers]:
    """Users who come more or less often, click more or less of what they see, and rarely buy."""
    activity = random.gamma(2.0, 1.0, users)
    taste = random.beta(2.0, 18.0, users)
    columns: dict[str, Numbers] = {}
    for time in ("", "_before"):
        seen = random.poisson(8 * activity) + (1 if time == "" else 0)
        clicks = random.binomial(seen, taste)
        bought = random.poisson(0.15 * activity)
        columns[f"impressions{time}"] = seen.astype(float)
        columns[f"clicks{time}"] = clicks.astype(float)
        columns[f"revenue{time}"] = bought * random.lognormal(3.0, 0.8, users)
    columns["converted"] = (random.random(users) < 0.1).astype(float)
    return columns


def looks(
    measured: Measured,
    users: Mapping[str, Numbers],
    experiments: int,
    users_a_look: int,
    seed: int,
) -> Iterator[list[tuple[Sums, Sums]]]:
    """The two arms at each look of experiment after experiment; so many users come in between.

    The same seed draws the same users into the same arms, whatever is measured.
    """
    columns = _columns(measured, users)
    random = np.random.default_rng(seed)
    everybody = len(next(iter(users.values())))
    for begin in range(0, experiments, _CHUNK):
        size = min(_CHUNK, experiments - begin)
        shape = (size, LOOKS, users_a_look)
        drawn = random.integers(everybody, size=shape, dtype=np.uint32)
        is_treated = random.random(shape, dtype=np.float32) < 0.5
        # Columns by arm, experiment and look: what has been seen up to then.
        arms = np.empty((2, len(columns), size, LOOKS))
        for place, column in enumerate(columns.values()):
            values = column[drawn]
            arms[1, place] = np.where(is_treated, values, 0.0).sum(axis=2).cumsum(axis=1)
            arms[0, place] = values.sum(axis=2).cumsum(axis=1) - arms[1, place]
        treated = is_treated.sum(axis=2).cumsum(axis=1)
        counts = users_a_look * np.arange(1, LOOKS + 1) - treated, treated
        for number in range(size):
            yield [
                (
                    _sums(measured, int(counts[0][number, look]), arms[0, :, number, look]),
                    _sums(measured, int(counts[1][number, look]), arms[1, :, number, look]),
                )
                for look in range(LOOKS)
            ]


def _columns(measured: Measured, users: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """What is summed up: the figures, and their products."""
    figures = {name: users[column] for name, column in measured.figures.items()}
    products = {
        f"{first} {second}": figures[first] * figures[second]
        for first, second in pairs(tuple(figures))
    }
    return {**figures, **products}


def _sums(measured: Measured, users: int, values: Numbers) -> Sums:
    figures = tuple(measured.figures)
    numbers = values.tolist()
    return Sums(
        users,
        dict(zip(figures, numbers, strict=False)),
        dict(zip(pairs(figures), numbers[len(figures) :], strict=True)),
    )
