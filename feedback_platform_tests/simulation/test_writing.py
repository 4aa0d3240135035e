from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedback_platform.errors import LakeUnavailableError
from feedback_platform.lake import keys
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.simulation import (
    Simulation,
    SimulationParameters,
    simulate,
    write_simulation,
)
from feedback_platform_tests.simulation.conftest import FIRST_DAY


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


def content(lake: Lake) -> dict[str, bytes]:
    return {key: lake.get(key) for key in list_raw_objects(lake)}


def test_the_same_seed_writes_the_same_bytes(lake: Lake, small: Simulation, tmp_path: Path) -> None:
    other_lake = Lake((tmp_path / "other").as_uri())
    again = simulate(SimulationParameters(first_day=FIRST_DAY, users=40, days=3, seed=7))
    write_simulation(lake, small)
    write_simulation(other_lake, again)
    assert content(lake) == content(other_lake)


def test_all_lines_are_written_in_order(lake: Lake, small: Simulation) -> None:
    written = write_simulation(lake, small)
    lines = [
        line
        for key in list_raw_objects(lake)
        for line in read_raw_object(lake, key).decode().splitlines()
    ]
    assert lines == small.lines["line"].to_list()
    assert written.events == len(lines)
    assert written.objects == len(list_raw_objects(lake))
    assert written.already_there == 0
    assert written.planted == small.planted


def test_an_hour_holds_what_was_received_in_it(lake: Lake, small: Simulation) -> None:
    write_simulation(lake, small)
    for key in list_raw_objects(lake):
        prefix = keys.hour_of(key).strftime('"received_at":"%Y-%m-%dT%H:')
        lines = read_raw_object(lake, key).decode().splitlines()
        assert all(prefix in line for line in lines if line.endswith("}"))
        assert key.rpartition("/")[2].startswith("simulation-")


def test_writing_again_adds_nothing(lake: Lake, small: Simulation) -> None:
    first = write_simulation(lake, small)
    before = content(lake)
    second = write_simulation(lake, small)
    assert content(lake) == before
    assert (second.objects, second.events, second.already_there) == (0, 0, first.objects)


def test_what_an_interrupted_writing_left_out_is_added(lake: Lake, small: Simulation) -> None:
    write_simulation(lake, small)
    before = content(lake)
    lost = list(before)[3]
    lake.delete([lost])
    again = write_simulation(lake, small)
    assert again.objects == 1
    assert again.events == len(read_raw_object(lake, lost).splitlines())
    assert content(lake) == before


def test_another_simulation_is_added_beside_the_first(lake: Lake, small: Simulation) -> None:
    first = write_simulation(lake, small)
    other = simulate(SimulationParameters(first_day=FIRST_DAY, users=41, days=3, seed=7))
    second = write_simulation(lake, other)
    assert second.already_there == 0
    assert len(list_raw_objects(lake)) == first.objects + second.objects


def test_progress_counts_up_to_the_end(lake: Lake, small: Simulation) -> None:
    seen: list[tuple[int, int]] = []
    written = write_simulation(lake, small, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, written.objects) for done in range(1, written.objects + 1)]


class FullLake(Lake):
    """A disk that is full."""

    def put(self, key: str, data: bytes, *, mode: str) -> None:
        raise LakeUnavailableError(f"no space for {len(data)} bytes under {key} ({mode})")


def test_a_failing_lake_is_reported_not_swallowed(tmp_path: Path, small: Simulation) -> None:
    with pytest.raises(LakeUnavailableError, match="no space"):
        write_simulation(FullLake((tmp_path / "full").as_uri()), small)


def test_a_line_in_the_lake_is_json_of_one_event(lake: Lake, small: Simulation) -> None:
    write_simulation(lake, small)
    line = read_raw_object(lake, list_raw_objects(lake)[0]).splitlines()[0]
    assert json.loads(line)["event_type"] == "item_updated"
