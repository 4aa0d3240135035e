from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation
from feedback_platform_tests.installation import FIRST_DAY, Installation
from feedback_platform_tests.journeys.reader import reader

STATE = """
    select
        (select through from published.state) as through,
        (select count(*) from feedback.user_feedback) as feedback,
        (select sum(impressions) from metrics.engagement_daily)::bigint as impressions
"""


@pytest.mark.slow
def test_readers_see_whole_states_in_their_order_while_micro_batches_run(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    arriving = Lake((tmp_path / "arriving").as_uri())
    parameters = SimulationParameters(first_day=FIRST_DAY, users=60, days=4)
    write_simulation(arriving, simulate(parameters))
    batches = _thirds(list_raw_objects(arriving))
    states = [_arrive(installation, arriving, batches[0])]

    with reader(installation, STATE, tmp_path / "stop") as seen:
        states += [_arrive(installation, arriving, batch) for batch in batches[1:]]

    assert seen == states
    assert len({tuple(state) for state in states}) == 3
    assert states == sorted(states)


def _arrive(installation: Installation, arriving: Lake, objects: list[str]) -> list[int]:
    """One micro-batch; returns what is published after it."""
    for key in objects:
        installation.lake.put(key, arriving.get(key), mode="create")
    installation.process()
    return list(installation.query(STATE).row(0))


def _thirds(objects: list[str]) -> list[list[str]]:
    third = len(objects) // 3
    return [objects[:third], objects[third : 2 * third], objects[2 * third :]]
