from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.scenario.definition_file import load_scenario, read_scenario
from feedback_platform.settings import PROJECT_DIR

EXAMPLE = PROJECT_DIR / "docs" / "scenario.toml"
SHORT = PROJECT_DIR / "docs" / "scenario-short.toml"


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    change(document)
    return document


def test_the_documented_scenario_is_read() -> None:
    scenario = load_scenario(EXAMPLE)

    assert (scenario.weeks, scenario.days, scenario.first_day) == (8, 56, date(2024, 1, 1))
    assert scenario.trial.day == 7
    assert scenario.trial.last_day == 16
    assert (scenario.trial.personal, scenario.trial.treatment) == ("personal", "personal")
    assert scenario.shift is not None
    # The Wednesday of the third week.
    assert scenario.shift.day == 16
    assert scenario.midnight(16) == datetime(2024, 1, 17, tzinfo=UTC)
    assert scenario.shift.noticed_within == timedelta(days=5)
    assert scenario.broken_client is not None
    assert (scenario.broken_client.first_day, scenario.broken_client.last_day) == (36, 37)
    assert list(scenario.training_calendar) == [7, 14, 21, 28, 35, 42, 49]


def test_the_short_scenario_has_all_that_may_happen() -> None:
    scenario = load_scenario(SHORT)

    assert None not in (scenario.shift, scenario.bad_model, scenario.broken_client)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.pop("users"), "lacks users"),
        (lambda it: it.update(user=3), "unknown key 'user'; did you mean 'users'?"),
        (lambda it: it.update(users=5), "users is 5; it accepts a whole number from 100"),
        (lambda it: it.update(first_day=date(2024, 1, 2)), "it accepts a Monday"),
        (lambda it: it.update(first_day=date(1, 1, 1)), "it accepts a Monday from 2000 on"),
        (lambda it: it["experiment"].update(key="none"), "it has personal-lists"),
        (lambda it: it["experiment"].update(week=1), "the first model is trained after 7 days"),
        (lambda it: it["experiment"].update(week=8), "experiment ends on day 58 of 56"),
        (lambda it: it["taste_shift"].update(week=1), "nobody has a list of their own before"),
        (lambda it: it["taste_shift"].update(weekday="Wed"), "it accepts Monday, Tuesday"),
        (lambda it: it["taste_shift"].update(noticed_within="soon"), "a text such as '90 minutes'"),
        (lambda it: it["bad_model"].update(week=2, weekday="Monday"), "hardly a champion before"),
        (lambda it: it["broken_client"].update(days=0), "days is 0"),
        (lambda it: it["broken_client"].update(share=2), "share is 2; it accepts a number from 0"),
        (lambda it: it.update(indifferent="yes"), "it accepts true or false"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_accepted(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_scenario(changed(change), EXAMPLE)

    assert said in str(refused.value)
    assert "scenario" in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('varies = { flag = "layout" }', "varies the flag 'layout'; a scenario accepts"),
        ('varies = { ranking_policy = "sidebar" }', "varies the ranking_policy 'sidebar'"),
    ],
)
def test_an_experiment_over_something_else_than_the_list_is_refused(
    tmp_path: Path, entry: str, said: str
) -> None:
    experiments = EXAMPLE.with_name("scenario-experiments.toml").read_text(encoding="utf-8")
    changed = experiments.replace('varies = { ranking_policy = "home" }', entry)
    (tmp_path / "scenario-experiments.toml").write_text(changed, encoding="utf-8")
    (tmp_path / "scenario.toml").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")

    with pytest.raises(InvalidInputError) as refused:
        load_scenario(tmp_path / "scenario.toml")

    assert said in str(refused.value)


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "story.toml"
    path.write_text("weeks = ", encoding="utf-8")

    with pytest.raises(InvalidInputError, match=r"story\.toml is not valid TOML"):
        load_scenario(path)
