from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from feedback_platform.adjustment.flags.definition import Condition
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import (
    Design,
    Experiment,
    Goal,
    Guard,
    HoldOut,
    Lever,
    Slot,
)
from feedback_platform.experiments.definitions_file import load_experiments, parse_experiments
from feedback_platform.settings import PROJECT_DIR

EXPERIMENT = """
[experiments.cards-at-home]
hypothesis = "Cards are looked at longer, so more is bought."
varies = { flag = "layout-home" }
variants = { grid = "grid", cards = "compact" }
control = "grid"
split = { grid = 50, cards = 50 }
primary = [{ metric = "converting_users", minimum_effect = 0.02 }]
horizon = "28 days"
"""
MORE = """
percentage = 40
seed = "cards-2"
unit = "user"
audience = [{ attribute = "country", in = ["AT", "DE"] }]
exclusion = { group = "home", from = 0, to = 50 }
secondary = ["clicks_per_user"]
alpha = 0.01
power = 0.9
sequential = false
tuned_for = 20000
minimum_users = 500
cuped_window = "14 days"
[[experiments.cards-at-home.guards]]
metric = "bounce_rate"
margin = 0.05
"""


def one(text: str) -> Experiment:
    (found,) = parse_experiments(text, origin="mine.toml").experiments.values()
    return found


def test_what_an_experiment_leaves_out_has_a_default() -> None:
    programme = parse_experiments(EXPERIMENT, origin="mine.toml")

    assert programme.holdout == HoldOut(0.0, "holdout")
    assert programme.experiments == {
        "cards-at-home": Experiment(
            key="cards-at-home",
            hypothesis="Cards are looked at longer, so more is bought.",
            lever=Lever.FLAG,
            subject="layout-home",
            variants={"grid": "grid", "cards": "compact"},
            control="grid",
            split={"grid": 50.0, "cards": 50.0},
            primary=(Goal("converting_users", 0.02),),
            design=Design(
                timedelta(days=28),
                0.05,
                0.8,
                is_sequential=True,
                tuned_for=5_000,
                minimum_users=100,
                cuped_window=None,
            ),
            percentage=100.0,
            seed="cards-at-home",
        )
    }


def test_everything_that_can_be_said_is_read() -> None:
    found = one(EXPERIMENT + MORE)

    assert (found.percentage, found.seed) == (40.0, "cards-2")
    assert found.audience == (Condition("country", "in", ["AT", "DE"]),)
    assert found.slot == Slot("home", 0.0, 50.0)
    assert found.secondary == ("clicks_per_user",)
    assert found.guards == (Guard("bounce_rate", 0.05),)
    assert found.design == Design(
        timedelta(days=28),
        0.01,
        0.9,
        is_sequential=False,
        tuned_for=20_000,
        minimum_users=500,
        cuped_window=timedelta(days=14),
    )
    assert found.metrics == ("converting_users", "bounce_rate", "clicks_per_user")
    assert found.treatments == ("cards",)


def test_the_values_of_a_threshold_are_numbers() -> None:
    text = EXPERIMENT.replace('flag = "layout-home"', 'threshold = "low-click-through"')

    found = one(text.replace('"grid", cards = "compact"', "0.05, cards = 0.04"))

    assert (found.lever, found.subject) == (Lever.THRESHOLD, "low-click-through")
    assert found.variants == {"grid": 0.05, "cards": 0.04}
    with pytest.raises(InvalidInputError, match="variants: grid is 'grid'; it accepts a number"):
        one(text)


def test_the_order_in_which_a_split_is_written_moves_nobody() -> None:
    turned = EXPERIMENT.replace("{ grid = 50, cards = 50 }", "{ cards = 50, grid = 50 }")

    assert list(one(turned).split) == ["grid", "cards"]


def test_an_installation_may_hold_some_users_out_for_ever() -> None:
    found = parse_experiments("[holdout]\npercentage = 5\nseed = 'a'", origin="mine.toml")

    assert (found.holdout, found.experiments) == (HoldOut(5.0, "a"), {})


def test_the_example_of_the_documentation_is_accepted() -> None:
    found = load_experiments(PROJECT_DIR / "docs" / "experiments.toml")

    assert found.holdout.percentage == 2
    assert {each.lever for each in found.experiments.values()} == {
        Lever.FLAG,
        Lever.MODEL,
        Lever.RANKING_POLICY,
        Lever.THRESHOLD,
    }


CHANGES = [
    # what stands there → what is written instead, and what is said about it
    ("cards-at-home]", "Cards]", "an experiment is called 'Cards'; it accepts 1 to 100 lower"),
    ("hypothesis", "hypotesis", "unknown key 'hypotesis'; did you mean 'hypothesis'"),
    ('hypothesis = "C', '# "C', "experiment 'cards-at-home' lacks hypothesis"),
    ('{ flag = "layout-home" }', '"layout-home"', "varies is 'layout-home'; it accepts one of"),
    ('{ flag = "layout-home" }', "{}", "varies is {}; it accepts one of { flag"),
    ('{ flag = "l', '{ flags = "l', "varies has an unknown key 'flags'; did you mean 'flag'"),
    (', cards = "compact"', "", r"variants is .*; it accepts a table of 2 to 10 values"),
    ('cards = "compact"', 'cards = "grid"', "variants is .*; it accepts values that differ"),
    ('cards = "compact"', 'cards = "compact", "" = "x"', "it accepts names of 1 to 100 print"),
    ('control = "grid"', 'control = "list"', "control is 'list'; it accepts grid or cards"),
    ("cards = 50", "card = 50", "split has an unknown key 'card'; did you mean 'cards'"),
    ("cards = 50", "cards = 40", "split is .*; it accepts percentages that add up to 100"),
    ("cards = 50", "cards = 0", "cards is 0; it accepts a number above 0 and below 100"),
    (", cards = 50", "", "split lacks cards"),
    ("[{ metric", "[3, { metric", "primary 1 is 3; it accepts a table"),
    ("primary =", "primary = [] #", "primary is .*; it accepts one metric at"),
    ('"converting_users"', '"clicks"', "primary 1: metric is 'clicks'; it accepts click_thro"),
    ("= 0.02", "= 0", "minimum_effect is 0; it accepts a number above 0 and below 1"),
    ("= 0.02", "= 1.5", "minimum_effect is 1.5; it accepts a number above 0 and below 1"),
    ('"28 days"', '"4 weeks"', "horizon is '4 weeks'; it accepts a text such as"),
    ("= 40", "= 140", "percentage is 140; it accepts a number from 0 to 100"),
    ('unit = "user"', 'unit = "session"', "unit is 'session'; it accepts user"),
    (" in = [", " within = [", "condition 1 has an unknown key 'within'"),
    ('[{ attribute = "country"', '"all" #', "audience is 'all'; it accepts a list of up to 20"),
    ("to = 50", "to = 0", "exclusion: to is 0; it accepts a number above 0"),
    ("from = 0", "form = 0", "exclusion has an unknown key 'form'; did you mean 'from'"),
    ('["clicks_per_user"]', '["clicks"]', r"secondary is \['clicks'\]; it accepts a list of met"),
    ("alpha = 0.01", "alpha = 5", "alpha is 5; it accepts a number above 0 and below 0.5"),
    ("power = 0.9", "power = 90", "power is 90; it accepts a number above 0.5 and below 1"),
    ("sequential = false", 'sequential = "no"', "sequential is 'no'; it accepts true or false"),
    ("= 20000", "= 2.5", "tuned_for is 2.5; it accepts a whole number from 20 up"),
    ("minimum_users = 500", "minimum_users = 3", "minimum_users is 3; it accepts a whole number"),
    ('"14 days"', "14", "cuped_window is 14; it accepts a text such as"),
    ("margin = 0.05", "margin = -1", "guards 1: margin is -1; it accepts a number above 0"),
]


@pytest.mark.parametrize(("there", "instead", "problem"), CHANGES)
def test_an_error_names_the_experiment_the_entry_and_what_is_accepted(
    there: str, instead: str, problem: str
) -> None:
    assert there in EXPERIMENT + MORE

    with pytest.raises(InvalidInputError, match=rf"^mine\.toml: .*{problem}"):
        one((EXPERIMENT + MORE).replace(there, instead, 1))


SECOND = EXPERIMENT.replace("cards-at-home", "second")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("experiments = ", "^mine.toml is not valid TOML"),
        ("experiments = 3", r"experiments is 3; it accepts tables \[experiments.<key>\]"),
        ("[experiment.a]", "has an unknown key 'experiment'; did you mean 'experiments'"),
        ("[experiments]\na = 3", "experiment 'a' is 3; it accepts a table"),
        ("holdout = 5", "holdout is 5; it accepts a table"),
        ("[holdout]\npercentage = 50", "holdout: percentage is 50; it accepts a number from 0 to"),
        ("[holdout]\nshare = 5", "holdout has an unknown key 'share'"),
        (
            EXPERIMENT + SECOND + 'seed = "cards-at-home"',
            "'second': seed is 'cards-at-home', as of experiment 'cards-at-home'; it accepts one",
        ),
        (EXPERIMENT + 'seed = "holdout"', "seed is 'holdout', as of the hold-out"),
        (
            EXPERIMENT
            + 'exclusion = { group = "home", from = 0, to = 60 }'
            + SECOND
            + 'exclusion = { group = "home", from = 50, to = 100 }',
            "'second', exclusion: 50 to 100 of the group 'home' overlaps with 'cards-at-home', wh",
        ),
        (
            EXPERIMENT + "primary = [{ metric = 'bounce_rate', minimum_effect = 0.1 }, "
            "{ metric = 'bounce_rate', minimum_effect = 0.2 }]",
            "not valid TOML",
        ),
        (
            EXPERIMENT.replace(
                "minimum_effect = 0.02 }",
                "minimum_effect = 0.02 }, { metric = 'converting_users', minimum_effect = 0.1 }",
            ),
            "primary 2: metric is 'converting_users'; it accepts a metric once",
        ),
    ],
)
def test_what_no_experiment_can_mean_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        parse_experiments(text, origin="mine.toml")


def test_neighbours_in_a_group_and_other_groups_are_fine() -> None:
    text = (
        EXPERIMENT
        + 'exclusion = { group = "home", from = 0, to = 50 }'
        + SECOND
        + 'exclusion = { group = "home", from = 50, to = 100 }'
        + EXPERIMENT.replace("cards-at-home", "third")
        + 'exclusion = { group = "sidebar", from = 0, to = 100 }'
    )

    assert len(parse_experiments(text, origin="mine.toml").experiments) == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"The experiments' definitions .*none\.toml"):
        load_experiments(tmp_path / "none.toml")
