from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.adjustment.flags.definitions_file import shipped_definitions
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.adjustment.rules.changes import CannotChangeError, Cause, Change
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.experiments.changer import ExperimentChanger
from feedback_platform.experiments.entries import Shipped
from feedback_platform.experiments.installation import InstalledExperiments
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.flags.definitions import ADA

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = "cards-at-home"
START = Action(Kind.START_EXPERIMENT, KEY)
CAUSE = Cause("a1", "few-clicks", "placement=home", "click_through_rate at home is 0.02")
DEFINITION = """
[experiments.cards-at-home]
hypothesis = "Cards sell more."
varies = { flag = "layout-home" }
variants = { grid = "grid", cards = "compact" }
control = "grid"
split = { grid = 50, cards = 50 }
primary = [{ metric = "converting_users", minimum_effect = 0.1 }]
horizon = "7 days"
"""


class Rules:
    """An installation whose rules may start an experiment."""

    def __init__(self, directory: Path) -> None:
        lake = Lake((directory / "lake").as_uri())
        Flags(lake).apply(shipped_definitions(), ADA)
        self.path = directory / "experiments.toml"
        self.path.write_text(DEFINITION)
        self.now = NOON
        self.experiments = InstalledExperiments(lake, lambda: self.now)
        self.changer = ExperimentChanger(self.experiments, self.path, lambda: self.now)


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return Rules(tmp_path)


def test_a_breach_starts_an_experiment_once_and_harm_stops_it(rules: Rules) -> None:
    change = rules.changer.plan(START)
    assert change == Change(Kind.START_EXPERIMENT, KEY, "not running", "running")

    rules.changer.make(change, CAUSE)
    rules.changer.make(change, CAUSE)

    started = rules.experiments.log.refresh().started[KEY]
    assert (started.author.by, started.at) == ("rule:few-clicks (a1)", NOON)
    assert started.author.reason == CAUSE.why
    assert rules.changer.plan(START).before == "running"

    rules.now = NOON + timedelta(days=1)
    rules.changer.take_back(change, replace(CAUSE, why="Undone: bounce_rate is worse"))
    rules.changer.take_back(change, CAUSE)

    stopped = rules.experiments.log.refresh().stopped[KEY]
    assert (stopped.decision, stopped.at) == ("stopped", rules.now)
    assert stopped.author.reason == "Undone: bounce_rate is worse"
    with pytest.raises(CannotChangeError, match="ran before"):
        rules.changer.plan(START)


def test_what_another_started_meanwhile_is_not_started_again(rules: Rules) -> None:
    change = rules.changer.plan(START)
    rules.changer.make(change, CAUSE)
    with pytest.raises(CannotChangeError, match="runs since"):
        rules.changer.make(change, replace(CAUSE, adjustment_id="a2"))


def test_what_was_shipped_is_not_taken_back_with_the_start(rules: Rules) -> None:
    change = rules.changer.plan(START)
    rules.changer.make(change, CAUSE)
    rules.changer.take_back(change, CAUSE)
    rules.experiments.log.append(lambda _: Shipped(KEY, "cards", ADA))
    with pytest.raises(CannotChangeError, match="'cards' was shipped"):
        rules.changer.take_back(change, CAUSE)


def test_what_is_not_defined_cannot_be_started(rules: Rules) -> None:
    with pytest.raises(CannotChangeError, match="no experiment 'rows'"):
        rules.changer.plan(Action(Kind.START_EXPERIMENT, "rows"))
    nowhere = ExperimentChanger(rules.experiments, None, lambda: NOON)
    with pytest.raises(CannotChangeError, match="FEEDBACK_EXPERIMENTS names a TOML file"):
        nowhere.plan(START)
