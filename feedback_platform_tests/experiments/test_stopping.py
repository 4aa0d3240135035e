from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.rules.changes import CannotChangeError
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import HoldOut, Lever
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.exposure import Exposure
from feedback_platform.experiments.looks import Look
from feedback_platform.experiments.results import Result
from feedback_platform.experiments.running import ExperimentLog, RunningExperiments
from feedback_platform.experiments.shipping import Shipper
from feedback_platform.experiments.stopping import Ending, stop
from feedback_platform_tests.adjustment.flags.memory_store import MemoryStore
from feedback_platform_tests.experiments.arms import experiment
from feedback_platform_tests.experiments.switch import Switch

KEY = "cards-at-home"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Author("person:ada", "the week is over", NOON)


def look(verdict: str, *, winner: str = "", **decisions: str) -> Look:
    row: dict[str, Any] = dict.fromkeys(Result.__dataclass_fields__)
    results = tuple(
        Result(**{**row, "variant": name, "decision": decision, "reason": "as measured"})
        for name, decision in decisions.items()
    )
    return Look(1, NOON, False, Exposure({}), verdict, winner, "as measured", results)  # noqa: FBT003


SHIPS = look("ship", winner="cards", cards="ship")
WAITS = look("wait", cards="wait")
HARMS = look("stop: harms", cards="stop: harms")


class Running:
    """An experiment that runs, and the flag that it varies."""

    def __init__(self) -> None:
        self.switch = Switch()
        self.log = ExperimentLog(MemoryStore())
        self.log.append(lambda _: Started(experiment(), HoldOut(), ADA, NOON))

    def stop(self, found: Look | None = None, key: str = KEY, **ending: Any) -> RunningExperiments:
        shipper = Shipper(self.switch, self.switch, lambda: NOON)
        at = ending.pop("at", NOON + timedelta(days=7))
        return stop(self.log, shipper, key, found, Ending(ADA, at, **ending))


@pytest.fixture
def running() -> Running:
    return Running()


def test_a_person_ends_it_and_nothing_ships(running: Running) -> None:
    after = running.stop(SHIPS)

    stopped = after.stopped[KEY]
    assert (stopped.decision, stopped.shipped) == ("stopped", "")
    assert (stopped.author, stopped.at) == (ADA, NOON + timedelta(days=7))
    assert running.switch.variant == "grid"


def test_it_ends_at_its_horizon_at_the_latest(running: Running) -> None:
    after = running.stop(at=NOON + timedelta(days=100))
    assert after.stopped[KEY].at == NOON + timedelta(days=28)


def test_what_was_found_to_be_better_ships(running: Running) -> None:
    after = running.stop(SHIPS, ship="cards")

    assert (after.stopped[KEY].decision, after.stopped[KEY].shipped) == ("ship", "cards")
    assert running.switch.variant == "compact"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "nothing was found yet"),
        (WAITS, r"wait \(as measured\)"),
        (HARMS, "stop: harms"),
        (look("ship", winner="rows", rows="ship", cards="ship"), "rows is better"),
    ],
    ids=["nothing", "waits", "harms", "second best"],
)
def test_what_was_not_found_to_be_better_ships_only_if_somebody_says_why(
    running: Running, found: Look | None, why: str
) -> None:
    with pytest.raises(InvalidInputError, match=f"does not ship: {why}.*--override REASON"):
        running.stop(found, ship="cards")
    assert KEY in running.log.refresh().running
    assert running.switch.variant == "grid"

    after = running.stop(found, ship="cards", override="the board wants it")

    assert (after.stopped[KEY].decision, after.shipments) == ("stopped", {KEY: "cards"})
    assert "the board wants it" in after.stopped[KEY].author.reason
    assert running.switch.variant == "compact"


def test_control_ships_whatever_was_found(running: Running) -> None:
    running.switch.variant = "compact"
    after = running.stop(HARMS, ship="grid")
    assert after.stopped[KEY].decision == "keep control"
    assert running.switch.variant == "grid"


@pytest.mark.parametrize(("variant", "promoted"), [("now", ""), ("new", "v2")])
def test_to_ship_the_champion_leaves_the_model_in_use(
    running: Running, variant: str, promoted: str
) -> None:
    over_models = experiment(
        key="models",
        lever=Lever.MODEL,
        subject="recommender",
        variants={"now": "champion", "new": "v2"},
        control="now",
        split={"now": 50.0, "new": 50.0},
    )
    running.log.append(lambda _: Started(over_models, HoldOut(), ADA, NOON))

    after = running.stop(look("ship", winner="new", new="ship"), "models", ship=variant)

    assert after.shipments == {"models": variant}
    assert running.switch.champion == promoted


def test_what_is_over_can_be_shipped_later_and_does_not_end_again(running: Running) -> None:
    running.stop(SHIPS)
    with pytest.raises(InvalidInputError, match="is over since 2026-03-09 12:00"):
        running.stop(SHIPS)

    after = running.stop(SHIPS, ship="cards")

    assert (after.shipments, running.switch.variant) == ({KEY: "cards"}, "compact")
    # To say it twice changes nothing.
    assert running.stop(SHIPS, ship="cards").position == after.position


def test_where_shipping_fails_the_experiment_goes_on(running: Running) -> None:
    running.switch.error = CannotChangeError("the flag is gone")
    with pytest.raises(InvalidInputError, match="ships nothing: the flag is gone"):
        running.stop(SHIPS, ship="cards")
    assert KEY in running.log.refresh().running


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ({"key": "none"}, "No experiment 'none' was started. There are: cards-at-home"),
        ({"ship": "rows"}, "no variant 'rows'; it has grid, cards"),
        ({"override": "why not"}, "name it with --ship"),
        ({"at": NOON - timedelta(days=1)}, "cannot end before"),
    ],
    ids=str,
)
def test_a_mistake_is_told_and_changes_nothing(
    running: Running, ending: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        running.stop(SHIPS, **ending)
    assert KEY in running.log.refresh().running
