"""A product whose users take things in rows, trained and published: lists of the moment of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from feedback_platform.cleaning.configuration import UNKNOWN, default_rules
from feedback_platform.cleaning.reference import ALL_DEVICES, BEGINNING, Reference, SignalStatistics
from feedback_platform.cleaning.rules import DEVICE_CATEGORY, rule_table
from feedback_platform.lake.store import Lake
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.learned_tables import (
    TrainingFrames,
    learn_recommender,
    refresh_recommendations,
)
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.publication import current_lists, local_lists
from feedback_platform.learning.online.session_feedback import SessionRules
from feedback_platform.learning.online.writing import OnlineSettings
from feedback_platform.learning.training_data import choose_cut
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform_tests.learning.few_sources import FEW_SOURCES
from feedback_platform_tests.learning.frames import NO_USERS, items_of, scores_of
from feedback_platform_tests.learning.ranker_frames import chains, shown_of

MADE_AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Views and uses last e^4 - 1, about 54 ms, give or take; both signals are on a logarithmic scale.
REFERENCE: Final = Reference(
    "by-hand",
    BEGINNING,
    100,
    tuple(
        SignalStatistics(signal, ALL_DEVICES, 100, 4.0, 4.0, 3.0, 5.0, 4.0, 1.0, 2.0, 6.0)
        for signal in ("view", "use")
    ),
)


def shipped_rules() -> SessionRules:
    """The rules of cleaning and the seeds that ship with the platform."""
    table = rule_table(default_rules(), REFERENCE).filter(pl.col(DEVICE_CATEGORY) == UNKNOWN)
    seeds = DBT_PROJECT_DIR / "seeds"
    return SessionRules.of(
        table, pl.read_csv(seeds / "signal_weights.csv"), pl.read_csv(seeds / "score_rules.csv")
    )


RULES: Final = shipped_rules()
CHAINS: Final = chains()
# One who came after the training, and one whose dislikes are all that is known.
SCORES: Final = pl.concat(
    [CHAINS, scores_of(("zoe", "i003", 0.9, 1, 100), ("max", "i007", 0.1, 1, 101))]
)
ITEMS: Final = items_of(
    *[(f"i{n:03d}", None if n == 5 else f"Item {n}", [f"kind {n % 3}"]) for n in range(39)]
)
SHOWN: Final = shown_of(
    *[(f"u{n:03d}", f"i{n % 40:03d}", n, n % 3 == 0) for n in range(0, 120, 2)],
    *[(f"u{n:03d}", f"i{(n + 20) % 40:03d}", n + 2, n % 5 == 0) for n in range(120)],
)
UNAVAILABLE: Final = ["i030"]
BOOSTED: Final = ["i035"]
EXPLORATION: Final = Exploration(0.1)


def frames(scores: pl.DataFrame) -> TrainingFrames:
    cut = choose_cut(scores["last_feedback_at"])
    return TrainingFrames(
        scores=scores,
        scores_at_cut=scores.filter(pl.col("last_feedback_at") <= cut),
        cut=cut,
        scores_at_inner_cuts={},
        items=ITEMS,
        items_at_cut=ITEMS,
        users=NO_USERS,
        users_at_cut=NO_USERS,
    )


def trained(lake: Lake) -> None:
    """Train a recommender with a ranker."""
    learn_recommender(lake, frames(CHAINS), now=MADE_AT, trigger="initial", sources=FEW_SOURCES)


def listed(
    lake: Lake, made_at: datetime = MADE_AT, **told: Any
) -> tuple[pl.DataFrame, OnlineLists]:
    """Make the lists and the file of them, and return both."""
    given: dict[str, Any] = {
        "shown": SHOWN,
        "boosted": BOOSTED,
        "exploration": EXPLORATION,
        "online": OnlineSettings(RULES, made_at),
    }
    lists = refresh_recommendations(lake, SCORES, ITEMS, UNAVAILABLE, **(given | told))
    return lists, opened(lake)


def opened(lake: Lake) -> OnlineLists:
    key = current_lists(lake)
    assert key is not None
    return OnlineLists.open(local_lists(lake, key, Path("nowhere")))


NEWEST: Final[datetime] = SCORES["last_feedback_at"].max()  # type: ignore[assignment]


def second(seconds: float) -> float:
    """So many seconds after the newest feedback, since 1970."""
    return (NEWEST + timedelta(seconds=seconds)).timestamp()
