"""What the looks at an experiment have found, one a day, kept in the lake for as long as it is.

Each says what was known at the time, so the sequence shows what somebody would have seen who looked
every day. They hold sums over arms and nobody's rows: who is erased later is in none by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from feedback_platform.experiments.exposure import Exposure
from feedback_platform.experiments.results import Result
from feedback_platform.lake import keys
from feedback_platform.lake.numbered_log import Store

# Nothing runs longer than a year, see `durations.LONGEST`; what is stopped late may.
_MOST: Final = 400
_READERS: Final = 16


@dataclass(frozen=True)
class Look:
    """What was found at one time.

    Attributes:
        batch: the newest batch of events in it.
        read_at: when the newest event happened that was known (UTC).
        is_final: whether it is the last one: nothing that comes later counts.
        exposure: how many users met the experiment.
        verdict: what follows for the experiment as a whole, a `decision.Verdict`.
        winner: the variant to ship; nothing to keep control.
        reason: why.
        results: a row for each metric and variant.
    """

    batch: int
    read_at: datetime
    is_final: bool
    exposure: Exposure
    verdict: str
    winner: str
    reason: str
    results: tuple[Result, ...]


def read_looks(store: Store, key: str) -> tuple[Look, ...]:
    """Return the looks at an experiment, the newest last; none before the first."""
    content = store.find(keys.experiment_looks(key))
    if content is None:
        return ()
    return tuple(_look(given) for given in orjson.loads(content))


def read_all_looks(store: Store, wanted: Collection[str]) -> dict[str, tuple[Look, ...]]:
    """Return the looks at some experiments, many at once; empty ones for those without."""
    with ThreadPoolExecutor(_READERS) as pool:
        found = pool.map(lambda key: read_looks(store, key), wanted)
        return dict(zip(wanted, found, strict=True))


def keep_looks(store: Store, key: str, looks: tuple[Look, ...]) -> None:
    """Keep the looks at an experiment; the caller is the only one that looks at it."""
    content = orjson.dumps([asdict(look) for look in looks])
    store.put(keys.experiment_looks(key), content, mode="overwrite")


def with_look(looks: tuple[Look, ...], look: Look) -> tuple[Look, ...]:
    """Return looks with a newer one, which takes the place of one of the same day (UTC)."""
    if looks and looks[-1].read_at.date() == look.read_at.date():
        looks = looks[:-1]
    return (*looks, look)[-_MOST:]


def _look(given: Mapping[str, Any]) -> Look:
    return Look(
        **{
            **given,
            "read_at": datetime.fromisoformat(given["read_at"]),
            "exposure": Exposure(**given["exposure"]),
            "results": tuple(Result(**row) for row in given["results"]),
        }
    )
