"""The demo's data: which simulation a lake holds, and how well its planted groups were found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from feedback_platform.cli.progress import progress_bar
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning.segments import adjusted_rand_index
from feedback_platform.settings import Settings
from feedback_platform.simulation import (
    SimulationParameters,
    WrittenSimulation,
    planted_groups,
    simulate,
    write_simulation,
)
from feedback_platform.warehouse.published import query

_DAYS: Final = 28


def demo_parameters(
    settings: Settings, *, users: int | None, days: int | None, seed: int | None
) -> SimulationParameters:
    """Return the simulation of this lake: the one it holds already, or a new one ending today.

    Raises:
        InvalidInputError: the lake holds another simulation than the one that was asked for.
    """
    lake = Lake(settings.lake_url)
    content = lake.find(keys.demo_simulation())
    if content is None:
        today = datetime.now(UTC).date()
        first_day = today - timedelta(days=days or _DAYS)
        parameters = SimulationParameters(first_day=first_day, days=days or _DAYS)
        parameters = replace(
            parameters,
            users=users or parameters.users,
            seed=parameters.seed if seed is None else seed,
        )
        _remember(lake, parameters)
        return parameters
    held = json.loads(content)
    wanted = {"users": users, "days": days, "seed": seed}
    if any(value is not None and value != held[name] for name, value in wanted.items()):
        raise InvalidInputError(
            f"The lake {settings.lake_url} holds the demo of {held['users']} users over "
            f"{held['days']} days with seed {held['seed']}. Use another --data-dir for another."
        )
    return SimulationParameters(
        users=held["users"],
        days=held["days"],
        seed=held["seed"],
        first_day=date.fromisoformat(held["first_day"]),
    )


def write_demo_data(settings: Settings, parameters: SimulationParameters) -> WrittenSimulation:
    """Simulate and write the raw events; what is there already stays."""
    with progress_bar("Simulating") as (report, detail):
        detail(f"{parameters.users:,} users, {parameters.days} days")
        return write_simulation(Lake(settings.lake_url), simulate(parameters), progress=report)


def planted_index(settings: Settings, parameters: SimulationParameters) -> float:
    """Return how well the segments match the planted groups: 1 is perfect, 0 is chance."""
    segments = query(settings.published_path, "select user_id, segment_id from ml.user_segments")
    planted = planted_groups(parameters.users, parameters.seed).rename({"group": "segment_id"})
    return adjusted_rand_index(segments, planted)


def _remember(lake: Lake, parameters: SimulationParameters) -> None:
    content = {
        "users": parameters.users,
        "days": parameters.days,
        "seed": parameters.seed,
        "first_day": parameters.first_day.isoformat(),
    }
    lake.put(keys.demo_simulation(), json.dumps(content).encode(), mode="create")
