"""Candidate sources: each learns from the same feedback and scores every item for every user.

An ensemble chooses among them. A source is a name and a way to fit it; the models that come out
share one small interface (`Model`), whatever they are inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final, Protocol

import polars as pl

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.als import AlsParameters, fit_als
from feedback_platform.learning.columns import ITEM_ID
from feedback_platform.learning.ease import (
    MAXIMUM_SIDE,
    EaseParameters,
    LinearScores,
    fit_item_ease,
    fit_user_ease,
)
from feedback_platform.learning.factorisation import (
    Factorisation,
    FactorisationParameters,
    fit_factorisation,
)
from feedback_platform.learning.popularity import Popularity, fit_popularity
from feedback_platform.learning.preferences import Preferences, preferences
from feedback_platform.learning.ranking import Scorer


class Model(Scorer, Protocol):
    """A scorer that can be stored."""

    def to_bytes(self) -> bytes:
        """Return the model as a `.npz` archive without pickles."""


@dataclass(frozen=True, eq=False)
class TrainingInput:
    """What every source may learn from.

    Attributes:
        scores: user x item scores (`training_data.SCORES_SCHEMA`).
        items: the catalogue (`ITEMS_SCHEMA`); items that have only scores are added.
        users: what is known of users (`USERS_SCHEMA`).
        threshold: a score from here on is positive.
    """

    scores: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame
    threshold: float

    @cached_property
    def preferences(self) -> Preferences:
        """The positive scores over the whole catalogue."""
        return preferences(self.scores, self.items[ITEM_ID].to_list(), threshold=self.threshold)


Fit = Callable[[TrainingInput, int], Model]

# How to read a stored model back, by the kind of model.
KINDS: Final[Mapping[str, Callable[[bytes], Model]]] = {
    "factorisation": Factorisation.from_bytes,
    "linear": LinearScores.from_bytes,
    "popularity": Popularity.from_bytes,
}


@dataclass(frozen=True)
class Source:
    """One way to find candidates.

    Attributes:
        name: unique among the sources of an ensemble.
        kind: of the model, a key of `KINDS`.
        fit: trains on an input with a seed.
        is_for: whether so many users and items are within its reach.
    """

    name: str
    kind: str
    fit: Fit
    is_for: Callable[[int, int], bool] = lambda _users, _items: True


def item_ease(regularisation: float) -> Source:
    """Items predict items (`ease`)."""
    parameters = EaseParameters(regularisation)
    return Source(
        f"item-ease-{regularisation:g}",
        "linear",
        lambda data, _seed: fit_item_ease(data.preferences, parameters=parameters),
        lambda _users, items: items <= MAXIMUM_SIDE,
    )


def user_ease(regularisation: float) -> Source:
    """Users predict users (`ease`)."""
    parameters = EaseParameters(regularisation)
    return Source(
        f"user-ease-{regularisation:g}",
        "linear",
        lambda data, _seed: fit_user_ease(data.preferences, parameters=parameters),
        lambda users, _items: users <= MAXIMUM_SIDE,
    )


def als(
    components: int,
    regularisation: float,
    confidence: float,
    frequency: float = 0.0,
    restarts: int = 1,
) -> Source:
    """Implicit alternating least squares (`als`)."""
    parameters = AlsParameters(
        components, regularisation, confidence, frequency=frequency, restarts=restarts
    )
    return Source(
        f"als-{components}-{regularisation:g}-{confidence:g}-{frequency:g}x{restarts}",
        "factorisation",
        lambda data, seed: fit_als(data.preferences, parameters=parameters, seed=seed),
    )


def lightfm(name: str, parameters: FactorisationParameters) -> Source:
    """LightFM, with what is known of users and items (`factorisation`)."""
    return Source(
        name,
        "factorisation",
        lambda data, seed: fit_factorisation(
            data.scores,
            data.items,
            data.users,
            parameters=parameters,
            seed=seed,
            threshold=data.threshold,
        ),
    )


def popularity(half_life: timedelta | None = None) -> Source:
    """What everybody likes, or likes of late (`popularity`)."""
    return Source(
        "popularity" if half_life is None else f"popularity-{half_life.days}-days",
        "popularity",
        lambda data, _seed: fit_popularity(
            data.scores,
            item_ids=data.preferences.item_ids,
            threshold=data.threshold,
            half_life=half_life,
        ),
    )


# Strengths of regularisation from a little to a lot, for small products and large ones; the
# choice among them is made on an inner split.
DEFAULT_SOURCES: Final[tuple[Source, ...]] = (
    item_ease(150),
    item_ease(500),
    item_ease(1000),
    user_ease(600),
    user_ease(1500),
    als(16, 20, 5, restarts=3),
    als(32, 40, 5, 0.25, restarts=3),
    als(48, 40, 5, 0.25, restarts=3),
    als(96, 40, 5, 0.5, restarts=2),
    lightfm("warp", FactorisationParameters()),
    lightfm("bpr", FactorisationParameters(loss="bpr", epochs=40)),
    popularity(),
    popularity(timedelta(days=30)),
)


def within_reach(sources: tuple[Source, ...], users: int, items: int) -> tuple[Source, ...]:
    """Return the sources that can learn from so many users and items.

    Raises:
        InvalidInputError: two sources have one name, or none is within reach.
    """
    if len({source.name for source in sources}) != len(sources):
        raise InvalidInputError("Two candidate sources have the same name.")
    able = tuple(source for source in sources if source.is_for(users, items))
    if not able:
        raise InvalidInputError(
            f"No candidate source can learn from {users} users and {items} items; add one."
        )
    return able
