from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback_platform.scenario.definition_file import load_scenario
from feedback_platform.scenario.findings import Finding, findings, is_found
from feedback_platform.scenario.readings import Drift, Rate, Readings, Result, Training
from feedback_platform.scenario.story import Told
from feedback_platform.scenario.truth import VISITS_SCHEMA
from feedback_platform_tests.scenario.test_definition_file import EXAMPLE

SHIFT = datetime(2024, 1, 17, tzinfo=UTC)
RETRAINED = datetime(2024, 1, 20, tzinfo=UTC)
BROKEN = {date(2024, 2, 6): 40, date(2024, 2, 7): 30}

# The visit of `told` plants an uplift of 0.1: 0.8 clicks of four impressions, and 0.4.
MEASURED = Result(
    n=500,
    control=0.1,
    mean=0.19,
    effect=0.09,
    low=0.07,
    high=0.11,
    p_value=0.001,
    sequential_low=0.05,
    sequential_high=0.13,
    sample_ratio_p_value=0.6,
    decision="ship",
    reason="better: click_through_rate",
    read_at=SHIFT,
)


class Said(Readings):
    """What a platform might say; a test changes what it is about."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.measured: Result | None = MEASURED
        self.changes = [Drift("click_through", SHIFT + timedelta(days=2), 0.14, 0.08)]
        self.trained = [
            Training("good", SHIFT - timedelta(days=2), "schedule", "retired"),
            # What drift asks for at once may know too little of the new tastes.
            Training("early", RETRAINED - timedelta(hours=12), "drift", "rejected"),
            Training("better", RETRAINED, "schedule", "champion"),
        ]
        self.judged = ("rejected", "worse than popularity")
        self.lost = 0.1
        self.after_retraining = 0.16
        self.put_aside: dict[date, dict[str, int]] = {
            day: {"out_of_range": rows - 10, "missing_field": 10} for day, rows in BROKEN.items()
        }

    def result(self, experiment: str, variant: str) -> Result | None:
        assert (experiment, variant) == ("personal-lists", "personal")
        return self.measured

    def ended(self, experiment: str) -> tuple[str, str | None]:
        assert experiment == "personal-lists"
        return "stopped", "ship"

    def drift(self) -> list[Drift]:
        return self.changes

    def trainings(self) -> list[Training]:
        return self.trained

    def verdict(self, version: str) -> tuple[str, str]:
        assert version == "bad"
        return self.judged

    def rate(self, experiment: str, variant: str, begins: datetime, ends: datetime) -> Rate:
        assert (experiment, variant) == ("personal-lists", "personal")
        value = {SHIFT: 0.2, RETRAINED: 0.2 - self.lost}.get(ends, self.after_retraining)
        assert begins < ends
        return Rate(round(value * 1_000), 1_000)

    def quarantine(self) -> dict[date, dict[str, int]]:
        return self.put_aside


def told(**facts: Any) -> Told:
    row = ("a", SHIFT - timedelta(days=1), "personal", "good", 4, 0.8, 0.4, 0.8)
    visits = pl.DataFrame([row], schema=VISITS_SCHEMA, orient="row")
    defaults: dict[str, Any] = {
        "pushed": "bad",
        "champion_at_push": "good",
        "bad_rows": dict(BROKEN),
    }
    return Told(visits, **(defaults | facts))


def found(said: Said, story: Told | None = None) -> dict[str, Finding]:
    """Each finding by a word of its name."""
    named = findings(load_scenario(EXAMPLE), story or told(), said)
    words = ("uplift", "drift", "retraining", "gate", "quarantine")
    return {word: each for word, each in zip(words, named, strict=True) if word in each.name}


def test_a_story_as_it_should_be_holds() -> None:
    each = found(Said())

    assert [name for name, finding in each.items() if finding.is_held] == [
        "uplift",
        "drift",
        "retraining",
        "gate",
        "quarantine",
    ]
    assert "noticed after 2.0 days" in each["drift"].found
    # From 0.2 to 0.1, and back to 0.16.
    assert each["retraining"].figures["won_back"] == pytest.approx(0.6)
    assert each["gate"].figures["reason"] == "worse than popularity"
    assert each["quarantine"].figures["reasons"] == {"missing_field": 20, "out_of_range": 50}


def test_an_experiment_without_a_result_has_found_nothing() -> None:
    said = Said()
    said.measured = None

    assert not found(said)["uplift"].is_held


def test_an_interval_beside_what_was_planted_does_not_hold() -> None:
    said = Said()
    said.measured = replace(MEASURED, low=0.02, high=0.08)

    assert not found(said)["uplift"].is_held


@pytest.mark.parametrize(
    "changes",
    [
        [],
        # A rise is not what was planted, and the other stream is another.
        [Drift("click_through", SHIFT + timedelta(days=1), 0.08, 0.14)],
        [Drift("mean_score", SHIFT + timedelta(days=1), 0.6, 0.5)],
        [Drift("click_through", SHIFT + timedelta(days=8), 0.14, 0.08)],
        # A false alarm before.
        [
            Drift("click_through", SHIFT - timedelta(days=1), 0.14, 0.12),
            Drift("click_through", SHIFT + timedelta(days=1), 0.14, 0.08),
        ],
    ],
)
def test_drift_has_to_be_a_fall_in_time_and_none_before(changes: list[Drift]) -> None:
    said = Said()
    said.changes = changes

    assert not found(said)["drift"].is_held


def test_too_little_won_back_does_not_hold() -> None:
    said = Said()
    said.after_retraining = 0.12

    assert not found(said)["retraining"].is_held


def test_where_nothing_was_lost_nothing_comes_back() -> None:
    said = Said()
    said.lost = 0.0

    assert not found(said)["retraining"].is_held
    assert "nothing was lost" in found(said)["retraining"].found


def test_a_visit_of_the_instant_of_the_end_is_no_part_of_the_experiment() -> None:
    scenario = load_scenario(EXAMPLE)
    late = told().visits.with_columns(at=pl.lit(scenario.midnight(scenario.trial.last_day)))
    late = late.with_columns(expected_treatment=pl.lit(4.0))

    each = found(Said(), Told(pl.concat([told().visits, late]), pushed="bad"))

    assert each["uplift"].figures["planted"] == pytest.approx(0.1)


def test_trainings_that_are_refused_win_nothing_back() -> None:
    said = Said()
    said.trained = said.trained[:2]

    assert not found(said)["retraining"].is_held
    assert "none of 1 trainings" in found(said)["retraining"].found


def test_a_bad_model_that_is_promoted_or_shown_does_not_hold() -> None:
    said = Said()
    said.judged = ("champion", "better")
    assert not found(said)["gate"].is_held

    shown = told()
    shown.visits = shown.visits.with_columns(model_version=pl.lit("bad"))
    assert not found(Said(), shown)["gate"].is_held


def test_the_quarantine_has_to_show_every_bad_row_on_its_day_and_no_other() -> None:
    said = Said()
    said.put_aside = said.put_aside | {date(2024, 2, 9): {"missing_field": 1}}
    assert not found(said)["quarantine"].is_held

    assert not found(Said(), told(bad_rows={date(2024, 2, 6): 70}))["quarantine"].is_held


@pytest.mark.parametrize(
    ("planted", "low", "high", "held"),
    [
        (0.05, 0.02, 0.08, True),
        (0.05, 0.06, 0.08, False),
        # It is inside, but so is nothing.
        (0.05, -0.02, 0.08, False),
        (0.0, -0.02, 0.08, True),
        (0.0, 0.01, 0.08, False),
    ],
)
def test_an_uplift_is_found_inside_an_interval_that_tells_it_from_nothing(
    planted: float, low: float, high: float, *, held: bool
) -> None:
    assert is_found(planted, low, high) is held
