from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from feedback_platform.errors import InvalidSettingError
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.score_settings import (
    RULES_FILE,
    WEIGHTS_FILE,
    check_score_settings,
    signal_names,
)
from feedback_platform.warehouse.transformation import DbtProject

SEEDS = DBT_PROJECT_DIR / "seeds"


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """A copy of the configuration, to be spoilt."""
    return Path(shutil.copytree(SEEDS, tmp_path / "project" / "seeds"))


def _replace(seeds: Path, file: str, old: str, new: str) -> None:
    text = (seeds / file).read_text()
    assert old in text
    (seeds / file).write_text(text.replace(old, new))


def _refusal(seeds: Path) -> str:
    with pytest.raises(InvalidSettingError) as caught:
        check_score_settings(seeds)
    return str(caught.value)


def test_the_configuration_that_comes_with_the_platform_makes_sense() -> None:
    check_score_settings(SEEDS)


@pytest.mark.parametrize(
    ("old", "new", "place", "value", "accepts"),
    [
        # Belief of one is the logarithm of nothing.
        ("0.0,1.0,0.9", "0.0,1.0,1.0", "confidence of rating", "1.0", "from 0 to below 1"),
        (
            "0.0,1.0,0.9",
            "0.0,1.0,0.9999999999",
            "confidence of rating",
            "0.9999999999",
            "from 0 to below 1",
        ),
        ("0.3,0.8,0.15", "0.3,0.8,-0.15", "confidence of view", "-0.15", "from 0 to below 1"),
        ("0.3,0.8,0.15", "0.3,0.2,0.15", "score_high of view", "0.2", "from 0.3 to 1"),
        ("use,implicit,0.5", "use,implicit,half", "score_low of use", "half", "from 0 to 1"),
        ("use,implicit,0.5", "use,implicit,nan", "score_low of use", "nan", "from 0 to 1"),
    ],
)
def test_a_weight_without_sense_is_refused(
    seeds: Path, old: str, new: str, place: str, value: str, accepts: str
) -> None:
    _replace(seeds, WEIGHTS_FILE, old, new)

    assert _refusal(seeds) == (
        f"The {place} in signal_weights.csv is '{value}', but it accepts a number {accepts}."
    )


@pytest.mark.parametrize(
    ("rule", "given", "value", "accepts"),
    [
        ("half_life_days", "30", "0", "above 0"),
        ("half_life_days", "30", "inf", "above 0"),
        ("conflict_distance", "0.5", "1e-10", "above 0 to 1"),
        ("conflict_distance", "0.5", "0", "above 0 to 1"),
        ("bounce_confidence", "0.5", "1.5", "from 0 to 1"),
        ("fan_score", "0.5", "", "from 0 to 1"),
        ("inferred_neighbours", "20", "0", "of at least 1"),
    ],
)
def test_a_rule_without_sense_is_refused(
    seeds: Path, rule: str, given: str, value: str, accepts: str
) -> None:
    _replace(seeds, RULES_FILE, f"{rule},{given}", f"{rule},{value}")

    assert _refusal(seeds) == (
        f"The value of {rule} in score_rules.csv is '{value}', but it accepts a number {accepts}."
    )


def test_a_signal_is_said_or_done_and_there_once(seeds: Path) -> None:
    _replace(seeds, WEIGHTS_FILE, "use,implicit", "view,implicit")
    assert (
        _refusal(seeds)
        == "A signal in signal_weights.csv is 'view', but it accepts each name once."
    )

    _replace(seeds, WEIGHTS_FILE, "view,implicit", "use,guessed")
    assert _refusal(seeds) == (
        "The feedback_type of use in signal_weights.csv is 'guessed', but it accepts "
        "explicit or implicit."
    )


def test_a_rule_is_there_once(seeds: Path) -> None:
    _replace(seeds, RULES_FILE, "fan_score,", "brief_view,")

    assert (
        _refusal(seeds)
        == "A rule in score_rules.csv is 'brief_view', but it accepts each name once."
    )


def test_a_rule_that_nothing_knows_is_refused(seeds: Path) -> None:
    _replace(seeds, RULES_FILE, "half_life_days", "half_live_days")

    assert _refusal(seeds).startswith("A rule in score_rules.csv is 'half_live_days'")


def test_a_missing_rule_is_named(seeds: Path) -> None:
    lines = (seeds / RULES_FILE).read_text().splitlines(keepends=True)
    (seeds / RULES_FILE).write_text("".join(lines[:-1]))

    assert _refusal(seeds) == (
        "The value of inferred_ratings_read in score_rules.csv is '', but it accepts a number of "
        "at least 1: add the row."
    )


def test_nothing_is_built_from_settings_without_sense(seeds: Path, tmp_path: Path) -> None:
    _replace(seeds, RULES_FILE, "brief_view,0.1", "brief_view,10")
    project = DbtProject(seeds.parent, tmp_path / "target", tmp_path / "warehouse.duckdb")

    for use in (project.fingerprint, project.run):
        with pytest.raises(InvalidSettingError, match="brief_view"):
            use()
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_every_rule_is_used() -> None:
    macros = "".join(path.read_text() for path in (DBT_PROJECT_DIR / "macros").glob("*.sql"))
    rules = [line.split(",")[0] for line in (SEEDS / RULES_FILE).read_text().splitlines()[1:]]

    assert [name for name in rules if f"rule('{name}'" not in macros] == []


def test_the_signals_are_those_that_have_a_weight() -> None:
    names = signal_names(SEEDS)
    assert names == ["click", "conversion", "dismissal", "like", "rating", "use", "view"]
