"""The file in which people write a scenario: TOML, with the experiment's definition in another."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import Lever
from feedback_platform.experiments.definitions_file import load_experiments
from feedback_platform.experiments.levers import RANKING_POLICIES
from feedback_platform.scenario.definition import (
    DAYS_A_WEEK,
    BadModel,
    BrokenClient,
    Scenario,
    Shift,
    Trial,
)
from feedback_platform.text_file import read_text_file
from feedback_platform.toml_entries import Entries

PLACEMENT: Final = "home"

_NAMES: Final = (
    "name", "first_day", "weeks", "users", "seed", "visits_a_day", "uses_a_visit", "positions",
    "training_days",
    "indifferent",
    "experiment", "taste_shift", "bad_model", "broken_client",
)  # fmt: skip
_WEEKDAYS: Final = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
_MOST_POSITIONS: Final = 20
_MOST_WEEKS: Final = 26
_FIRST_YEAR: Final = 2000
_MOST_USERS: Final = 20_000


def load_scenario(path: Path) -> Scenario:
    """Return the scenario of a file; the experiments' file that it names lies beside it.

    Raises:
        InvalidInputError: a file cannot be read, or says what no scenario can mean; the text names
            the file, the entry and what it accepts.
    """
    text = read_text_file(path, "The scenario", "name a TOML file, such as docs/scenario.toml")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path} is not valid TOML: {error}") from error
    return read_scenario(document, path)


def read_scenario(document: Mapping[str, Any], path: Path) -> Scenario:
    """Return the scenario of a document; see `load_scenario`.

    Args:
        document: as TOML has it.
        path: of the file, for errors and for what lies beside it.
    """
    entries = Entries(document, str(path), _NAMES)
    weeks = _whole(entries, "weeks", 2, _MOST_WEEKS)
    training_days = _whole(entries, "training_days", 1, weeks * DAYS_A_WEEK - 1)
    first_day = _first_day(entries)
    scenario = Scenario(
        name=entries.text("name"),
        first_day=first_day,
        weeks=weeks,
        users=_whole(entries, "users", 100, _MOST_USERS),
        seed=entries.count("seed", 0),
        visits_a_day=entries.number("visits_a_day", 0, 5, is_open=True),
        positions=_whole(entries, "positions", 1, _MOST_POSITIONS),
        training_days=training_days,
        trial=_trial(entries, path, weeks),
        shift=_shift(entries, weeks),
        bad_model=_bad_model(entries, weeks),
        broken_client=_broken_client(entries, weeks),
        is_indifferent=_switch(entries, "indifferent"),
        uses_a_visit=entries.number("uses_a_visit", 0, 10, Scenario.uses_a_visit),
    )
    _check_order(scenario, entries)
    return scenario


def _trial(entries: Entries, path: Path, weeks: int) -> Trial:
    table = Entries(
        entries.value("experiment"), f"{path}: experiment", ("file", "key", "week", "weekday")
    )
    file, key = path.parent / table.text("file"), table.text("key")
    programme = load_experiments(file)
    if key not in programme.experiments:
        known = ", ".join(programme.experiments) or "none"
        raise InvalidInputError(
            f"{path}: experiment: {file} has no experiment {key!r}; it has {known}."
        )
    experiment = programme.experiments[key]
    if (experiment.lever, experiment.subject) != (Lever.RANKING_POLICY, PLACEMENT):
        raise InvalidInputError(
            f"{file}: experiment {key!r} varies the {experiment.lever} {experiment.subject!r}; a "
            f"scenario accepts varies = {{ ranking_policy = {PLACEMENT!r} }}, which is the list "
            f"that its users are shown: {', '.join(RANKING_POLICIES)}."
        )
    if len(experiment.treatments) != 1:
        raise InvalidInputError(
            f"{file}: experiment {key!r} has {len(experiment.variants)} variants; a scenario "
            "accepts two: the control and what is compared with it."
        )
    return Trial(experiment, programme.holdout, _day(table, weeks))


def _shift(entries: Entries, weeks: int) -> Shift | None:
    if "taste_shift" not in entries:
        return None
    table = Entries(
        entries.value("taste_shift"),
        f"{entries.where}: taste_shift",
        ("week", "weekday", "noticed_within", "won_back"),
    )
    return Shift(
        day=_day(table, weeks),
        noticed_within=table.duration("noticed_within"),
        won_back=table.number("won_back", 0, 1),
    )


def _bad_model(entries: Entries, weeks: int) -> BadModel | None:
    if "bad_model" not in entries:
        return None
    table = Entries(entries.value("bad_model"), f"{entries.where}: bad_model", ("week", "weekday"))
    return BadModel(_day(table, weeks))


def _broken_client(entries: Entries, weeks: int) -> BrokenClient | None:
    if "broken_client" not in entries:
        return None
    table = Entries(
        entries.value("broken_client"),
        f"{entries.where}: broken_client",
        ("week", "weekday", "days", "share"),
    )
    first = _day(table, weeks)
    days = _whole(table, "days", 1, weeks * DAYS_A_WEEK - first)
    return BrokenClient(first, first + days - 1, table.number("share", 0, 1))


def _check_order(scenario: Scenario, entries: Entries) -> None:
    """Refuse a story in which something comes before what it needs."""
    trial = scenario.trial
    if trial.day < scenario.training_days:
        raise InvalidInputError(
            f"{entries.where}: experiment starts on day {trial.day + 1}, and the first model is "
            f"trained after {scenario.training_days} days; it accepts a day after that."
        )
    if trial.last_day > scenario.days:
        raise InvalidInputError(
            f"{entries.where}: experiment ends on day {trial.last_day} of {scenario.days}; give it "
            "a shorter horizon, or the scenario more weeks."
        )
    if scenario.shift is not None and scenario.shift.day <= trial.day:
        raise InvalidInputError(
            f"{entries.where}: taste_shift is on day {scenario.shift.day + 1}, and nobody has a "
            f"list of their own before day {trial.day + 1}; it accepts a later day."
        )
    if scenario.bad_model is not None and scenario.bad_model.day <= trial.day:
        raise InvalidInputError(
            f"{entries.where}: bad_model is on day {scenario.bad_model.day + 1}, and there is "
            f"hardly a champion before day {trial.day + 1}; it accepts a later day."
        )


def _first_day(entries: Entries) -> date:
    value = entries.value("first_day")
    is_date = isinstance(value, date) and not isinstance(value, datetime)
    if not is_date or value.weekday() != 0 or value.year < _FIRST_YEAR:
        raise entries.refused(
            "first_day", f"a Monday from {_FIRST_YEAR} on, such as 2024-01-01 without quotes"
        )
    day: date = value
    return day


def _day(table: Entries, weeks: int) -> int:
    """Return the day, from 0, of a week (from 1) and a weekday (Monday when left out)."""
    week = _whole(table, "week", 1, weeks)
    weekday = table.one_of("weekday", _WEEKDAYS, _WEEKDAYS[0])
    return (week - 1) * DAYS_A_WEEK + _WEEKDAYS.index(weekday)


def _switch(entries: Entries, name: str) -> bool:
    value = entries.value(name, default=False)
    if not isinstance(value, bool):
        raise entries.refused(name, "true or false")
    return value


def _whole(table: Entries, name: str, low: int, high: int) -> int:
    number = table.count(name, low)
    if number > high:
        raise table.refused(name, f"a whole number from {low} to {high}")
    return number
