from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.adjustment.rules.changes import CannotChangeError, Cause, Change
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.model_version import ModelVersion
from feedback_platform.orchestration.adjustment_changers import ModelChanger
from feedback_platform_tests.learning.registered import MODEL, NOON, promote, register, tear

ROLL_BACK = Action(Kind.ROLL_BACK_MODEL, MODEL)
CAUSE = Cause("a1", "few-clicks", "all", "click_through_rate is 0.02")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path.as_uri())


@pytest.fixture
def two(lake: Lake) -> list[ModelVersion]:
    """Two versions; the second took the place of the first."""
    versions = [register(lake, hour=hour) for hour in range(2)]
    for version in versions:
        promote(lake, version)
    return versions


@pytest.fixture
def changer(lake: Lake) -> ModelChanger:
    return ModelChanger(lake, lambda: NOON)


def champion(lake: Lake) -> str:
    return champions.history(lake, MODEL)[-1].version


def test_a_model_is_rolled_back_once_and_comes_back(
    lake: Lake, two: list[ModelVersion], changer: ModelChanger
) -> None:
    first, second = (version.version for version in two)
    change = changer.plan(ROLL_BACK)
    assert change == Change(Kind.ROLL_BACK_MODEL, MODEL, second, first)

    changer.make(change, CAUSE)
    changer.make(change, CAUSE)

    rolled_back = champions.history(lake, MODEL)[-1]
    assert (rolled_back.version, rolled_back.left) == (first, second)
    assert rolled_back.reason == (
        f"Rolled back from {second} by rule:few-clicks (a1): click_through_rate is 0.02"
    )
    assert len(champions.history(lake, MODEL)) == 3

    changer.take_back(change, CAUSE)
    changer.take_back(change, CAUSE)

    assert champion(lake) == second
    assert len(champions.history(lake, MODEL)) == 4


def test_what_was_promoted_meanwhile_stays(
    lake: Lake, two: list[ModelVersion], changer: ModelChanger
) -> None:
    change = changer.plan(ROLL_BACK)
    third = register(lake, hour=2)
    promote(lake, third)

    for act in (changer.make, changer.take_back):
        with pytest.raises(CannotChangeError, match="another was promoted"):
            act(change, CAUSE)
    assert champion(lake) == third.version
    assert two[0].version == change.after


def test_a_plan_is_of_one_moment(lake: Lake, two: list[ModelVersion]) -> None:
    """It never leads from a champion that nobody measured to the one before the old one."""
    first, second = (version.version for version in two)
    third = register(lake, hour=2)

    class Promoting(Lake):
        """A lake in which somebody promotes while the files of the version before are read."""

        def find(self, key: str) -> bytes | None:
            if first in key:
                promote(lake, third)
            return super().find(key)

    change = ModelChanger(Promoting(lake.url), lambda: NOON).plan(ROLL_BACK)

    assert (change.before, change.after) == (second, first)
    assert champion(lake) == third.version


def test_where_there_is_no_champion_before_nothing_is_planned(
    lake: Lake, changer: ModelChanger
) -> None:
    with pytest.raises(CannotChangeError, match="no champion to roll back from"):
        changer.plan(ROLL_BACK)
    only = register(lake)
    promote(lake, only)
    with pytest.raises(CannotChangeError, match="no intact champion before"):
        changer.plan(ROLL_BACK)


def test_a_version_that_lost_a_file_meanwhile_is_not_promoted(
    lake: Lake, two: list[ModelVersion], changer: ModelChanger
) -> None:
    change = changer.plan(ROLL_BACK)
    tear(lake, two[0])

    with pytest.raises(CannotChangeError, match=r"model\.npz"):
        changer.make(change, CAUSE)
    assert champion(lake) == two[1].version
