from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from feedback_platform.experiments.analysis import Analysis, analyse
from feedback_platform.experiments.assignment import CompiledExperiment, Participant
from feedback_platform.experiments.decision import Verdict, decide
from feedback_platform.experiments.sums import COUNT, TOTAL, Sums
from feedback_platform.scenario.crowd import Crowd
from feedback_platform.scenario.definition import Scenario
from feedback_platform.scenario.definition_file import load_scenario
from feedback_platform.scenario.findings import is_found
from feedback_platform.scenario.readings import CLICK_THROUGH
from feedback_platform.scenario.truth import VISITS_SCHEMA, planted_uplift
from feedback_platform.simulation.product import catalogue
from feedback_platform_tests.scenario.test_definition_file import EXAMPLE

ITEMS = [item.item_id for item in catalogue()]
# One list for all of control, another for all of the treatment.
LISTS = {"popular": tuple(ITEMS[:4]), "personal": tuple(ITEMS[40:44])}
DAYS = 14


def lived_through(scenario: Scenario) -> tuple[pl.DataFrame, Analysis]:
    """What a crowd was shown, each arm the same list all the time, and how that is read."""
    trial, crowd = scenario.trial, Crowd(scenario)
    assigning = CompiledExperiment(trial.experiment, trial.holdout)
    told = []
    figures: dict[str, dict[str, list[float]]] = {arm: {} for arm in LISTS}
    for day in range(DAYS):
        due = crowd.visits_of(day)
        arms = [str(assigning.assign(Participant(user_id, {}))) for user_id in due.user_ids]
        lists = [LISTS[arm] for arm in arms]
        clicks = crowd.react(due, lists).is_clicked.sum(axis=1)
        for user_id, arm, clicked in zip(due.user_ids, arms, clicks, strict=True):
            known = figures[arm].setdefault(user_id, [0.0, 0.0])
            known[0] += clicked
            known[1] += len(LISTS[arm])
        told.append(
            pl.DataFrame(
                {
                    "user_id": due.user_ids,
                    "at": due.times,
                    "variant": arms,
                    "model_version": [""] * len(due),
                    "impressions": [4] * len(due),
                    "expected": crowd.expected(due, lists),
                    "expected_control": crowd.expected(due, [LISTS["popular"]] * len(due)),
                    "expected_treatment": crowd.expected(due, [LISTS["personal"]] * len(due)),
                },
                schema=VISITS_SCHEMA,
            )
        )
    sums = {arm: summed(np.array(list(users.values()))) for arm, users in figures.items()}
    users = {arm: each.users for arm, each in sums.items()}
    return pl.concat(told), analyse(trial.experiment, users, {CLICK_THROUGH: sums})


def summed(users: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Sums:
    total, count = users[:, 0], users[:, 1]
    return Sums(
        len(users),
        {TOTAL: float(total.sum()), COUNT: float(count.sum())},
        {
            (TOTAL, TOTAL): float(total @ total),
            (TOTAL, COUNT): float(total @ count),
            (COUNT, COUNT): float(count @ count),
        },
    )


def test_users_who_like_all_items_alike_plant_no_effect_and_none_is_found() -> None:
    scenario = replace(load_scenario(EXAMPLE), is_indifferent=True)

    told, analysis = lived_through(scenario)

    planted = planted_uplift(told)
    reading = analysis.readings[CLICK_THROUGH, "personal"]
    assert planted.effect == 0.0
    assert planted.control > 0.04
    assert is_found(planted.effect, reading.sequential.low, reading.sequential.high)
    assert reading.fixed.p_value > 0.01
    decision = decide(scenario.trial.experiment, analysis, is_over=True)["personal"]
    assert decision.verdict is Verdict.KEEP_CONTROL


def test_users_with_tastes_plant_an_effect_and_it_is_found_where_it_lies() -> None:
    told, analysis = lived_through(load_scenario(EXAMPLE))

    planted = planted_uplift(told)
    reading = analysis.readings[CLICK_THROUGH, "personal"]
    assert reading.sequential.low < planted.effect < reading.sequential.high
    # The same users in both arms would have clicked so much more or less often, by chance alone.
    assert reading.effect is not None
    assert abs(reading.effect - planted.effect) < 0.02
