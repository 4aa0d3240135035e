"""When users come: sessions at the hours in which people work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.simulation.parameters import SimulationParameters
from feedback_platform.simulation.population import Floats, Integers, Population

HOURS_A_DAY: Final = 24
DAY_MS: Final = 86_400_000

# Relative activity by UTC hour, and by weekday from Monday.
_BY_HOUR: Final = (
    0.25, 0.18, 0.15, 0.15, 0.2, 0.35, 0.6, 1.0, 1.6, 2.0, 2.1, 1.9,
    1.6, 1.8, 2.0, 1.9, 1.7, 1.4, 1.1, 0.9, 0.8, 0.7, 0.5, 0.35,
)  # fmt: skip
_BY_WEEKDAY: Final = (1.1, 1.15, 1.15, 1.1, 1.05, 0.7, 0.75)


@dataclass(frozen=True)
class Client:
    """A kind of client, and the share of sessions on it."""

    device_type: str
    platform: str
    share: float


CLIENTS: Final = (
    Client("desktop", "web", 0.55),
    Client("desktop", "macos", 0.15),
    Client("mobile", "ios", 0.12),
    Client("mobile", "android", 0.12),
    Client("tablet", "ios", 0.06),
)

# Two sessions of one user start at least this far apart, so that they never overlap: no session
# lasts longer, see the caps in `behaviour`.
MINIMUM_GAP_MS: Final = 90 * 60_000


@dataclass(frozen=True)
class Sessions:
    """The sessions, by user and start, as arrays with a place for each.

    Attributes:
        user: index of the user.
        start_ms: milliseconds from the start of the simulation.
        client: index into `CLIENTS`.
        is_first: whether it is the user's first session.
        is_shifted: whether the user's taste has shifted by then.
    """

    user: Integers
    start_ms: Integers
    client: Integers
    is_first: NDArray[np.bool_]
    is_shifted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.user)


def visit(
    parameters: SimulationParameters, population: Population, random: np.random.Generator
) -> Sessions:
    """Return all sessions: a Poisson process for each user, from joining on, at least one each."""
    hours, activity = _activity(parameters)
    joined = np.interp(population.joined_day * HOURS_A_DAY, hours, activity)
    expected = population.visits_a_day * (parameters.days - joined)
    counts = np.maximum(random.poisson(expected), 1)
    user = np.repeat(np.arange(parameters.users), counts)
    passed = random.uniform(joined[user], parameters.days)
    start_ms = (np.interp(passed, activity, hours) * (DAY_MS / HOURS_A_DAY)).astype(np.int64)
    order = np.lexsort((start_ms, user))
    user, start_ms = user[order], start_ms[order]
    is_first = np.diff(user, prepend=-1) != 0
    apart = is_first | (np.diff(start_ms, prepend=0) >= MINIMUM_GAP_MS)
    user, start_ms, is_first = user[apart], start_ms[apart], is_first[apart]
    shift_day = parameters.taste_shift_day
    return Sessions(
        user=user,
        start_ms=start_ms,
        client=random.choice(len(CLIENTS), size=len(user), p=[each.share for each in CLIENTS]),
        is_first=is_first,
        is_shifted=np.full(len(user), fill_value=False)
        if shift_day is None
        else start_ms >= shift_day * DAY_MS,
    )


def session_columns(sessions: Sessions) -> pl.DataFrame:
    """Return what an event carries of its session's client: one row a session."""
    return pl.DataFrame(
        {
            "device_type": pl.Series([each.device_type for each in CLIENTS]).gather(
                sessions.client
            ),
            "platform": pl.Series([each.platform for each in CLIENTS]).gather(sessions.client),
        }
    )


def _activity(parameters: SimulationParameters) -> tuple[Floats, Floats]:
    """Return hours from the start, and the activity passed by then, which is `days` at the end."""
    first = parameters.first_day.weekday()
    weekdays = [_BY_WEEKDAY[(first + day) % len(_BY_WEEKDAY)] for day in range(parameters.days)]
    by_hour = np.outer(weekdays, _BY_HOUR).ravel()
    passed = np.concatenate([[0.0], np.cumsum(by_hour)])
    hours = np.arange(len(passed), dtype=np.float64)
    return hours, passed * (parameters.days / passed[-1])
