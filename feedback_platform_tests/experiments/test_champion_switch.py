from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.adjustment.rules.changes import CannotChangeError
from feedback_platform.experiments.champion_switch import ChampionSwitch
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.freezes import Freeze, freeze
from feedback_platform_tests.learning.registered import MODEL, NOON, promote, register


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


def switch(lake: Lake, now: datetime) -> ChampionSwitch:
    return ChampionSwitch(lake, lambda: now)


def test_what_an_experiment_ships_waits_for_the_end_of_a_freeze(lake: Lake) -> None:
    first, second = register(lake, hour=0), register(lake, hour=1)
    promote(lake, first)
    freeze(lake, MODEL, Freeze("a1", NOON, NOON + timedelta(days=3), "dwell changed."))

    with pytest.raises(CannotChangeError, match="dwell changed"):
        switch(lake, NOON).promote(MODEL, second.version, reason="better")
    assert champions.history(lake, MODEL)[-1].version == first.version

    after = NOON + timedelta(days=3)
    switch(lake, after).promote(MODEL, second.version, reason="better")
    assert champions.history(lake, MODEL)[-1].version == second.version


def test_a_version_that_is_not_there_cannot_be_shipped(lake: Lake) -> None:
    with pytest.raises(CannotChangeError, match="no version 'v9'"):
        switch(lake, NOON).promote(MODEL, "v9", reason="better")
