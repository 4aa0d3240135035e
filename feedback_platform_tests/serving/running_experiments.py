"""Experiments that are started and stopped beside a server, and what the lake says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.events.translation.translation import translate
from feedback_platform.experiments.assignment import Absence, CompiledExperiment, Participant
from feedback_platform.experiments.definition import Experiment, HoldOut, Lever
from feedback_platform.experiments.entries import STOPPED, Started, Stopped
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.lake.store import Lake
from feedback_platform_tests.experiments.arms import experiment
from feedback_platform_tests.serving.running import RunningServer

ADA: Final = Author("person:ada", "it was planned so", datetime(2026, 3, 2, 12, tzinfo=UTC))
NOBODY: Final = HoldOut()
# Of the flag `rollout` in `flag_server.FLAGS`.
LAYOUT: Final = experiment(
    key="cards-at-home",
    subject="rollout",
    variants={"list": "list", "cards": "cards"},
    control="list",
    split={"list": 50.0, "cards": 50.0},
)


def of_lists(lever: Lever, subject: str, one: str | float, two: str | float) -> Experiment:
    """An experiment in halves over something that lists are made by."""
    return experiment(
        key=f"by-{lever.value.replace('_', '-')}",
        lever=lever,
        subject=subject,
        variants={"one": one, "two": two},
        control="one",
        split={"one": 50.0, "two": 50.0},
    )


def begin(lake: Lake, definition: Experiment, holdout: HoldOut = NOBODY) -> None:
    ExperimentLog(lake).append(lambda _: Started(definition, holdout, ADA, datetime.now(UTC)))


def end(lake: Lake, key: str, shipped: str = "") -> None:
    stopped = Stopped(key, STOPPED, ADA, datetime.now(UTC), shipped)
    ExperimentLog(lake).append(lambda _: stopped)


def variant_of(
    user_id: str, definition: Experiment, holdout: HoldOut = NOBODY, **attributes: Any
) -> str | None:
    """The variant that analysis expects, by the pure function."""
    found = CompiledExperiment(definition, holdout).assign(Participant(user_id, attributes))
    return None if isinstance(found, Absence) else found


def users_of(definition: Experiment, count: int = 2) -> dict[str, list[str]]:
    """Some users of each variant."""
    found: dict[str, list[str]] = {name: [] for name in definition.variants}
    number = 0
    while any(len(users) < count for users in found.values()):
        user = f"user-{number}"
        number += 1
        variant = variant_of(user, definition)
        if variant is not None and len(found[variant]) < count:
            found[variant].append(user)
    return found


def lake_of(server: RunningServer) -> Lake:
    return Lake(server.settings.lake_url)


def exposures(server: RunningServer) -> list[dict[str, Any]]:
    """What cleaning makes of the exposures that are stored."""
    found = []
    for line in server.lines():
        events = translate(line, DEFAULT_MAPPING, made_id="")
        assert isinstance(events, list)
        found += [each for each in events if each["event_type"] == "experiment_exposed"]
    return found
