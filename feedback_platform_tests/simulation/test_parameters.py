from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.simulation import Dirt, SimulationParameters, planted_groups


@pytest.mark.parametrize(
    ("nonsense", "says"),
    [
        ({"users": 0}, "users is 0"),
        ({"days": 0}, "days is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"taste_shift_day": 28}, "0 to 27"),
        ({"taste_shift_day": -1}, "0 to 27"),
        ({"first_day": datetime(2026, 1, 5, tzinfo=UTC)}, "must be a date"),
        ({"first_day": date(9999, 12, 20)}, "beyond year 9999"),
    ],
)
def test_nonsense_is_refused_by_name(nonsense: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        SimulationParameters(**{"first_day": date(2026, 1, 5), **nonsense})


@pytest.mark.parametrize(
    "nonsense",
    [
        {"duplicate_rate": -0.1},
        {"late_rate": 1.1},
        {"bad_row_rate": float("nan")},
        {"dwell_outlier_factor": 0.5},
        {"latest_hours": float("inf")},
        {"latest_hours": 1.0},
    ],
)
def test_impossible_dirt_is_refused_by_name(nonsense: dict[str, float]) -> None:
    (name,) = nonsense
    with pytest.raises(InvalidInputError, match=name):
        Dirt(**nonsense)


def test_groups_of_nobody_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="users is 0"):
        planted_groups(0, seed=1)


def test_any_other_parameter_is_another_fingerprint() -> None:
    same = SimulationParameters(first_day=date(2026, 1, 5))
    others = [
        SimulationParameters(first_day=date(2026, 1, 6)),
        SimulationParameters(first_day=date(2026, 1, 5), users=1_999),
        SimulationParameters(first_day=date(2026, 1, 5), days=27),
        SimulationParameters(first_day=date(2026, 1, 5), seed=2),
        SimulationParameters(first_day=date(2026, 1, 5), taste_shift_day=3),
        SimulationParameters(first_day=date(2026, 1, 5), dirt=Dirt(late_rate=0.1)),
    ]
    fingerprints = {each.fingerprint for each in [same, *others]}
    assert len(fingerprints) == 7
    assert SimulationParameters(first_day=date(2026, 1, 5)).fingerprint == same.fingerprint
