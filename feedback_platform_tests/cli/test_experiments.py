from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.adjustment.rules.tables import Tables
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed, the_error

EXAMPLES = str(PROJECT_DIR / "docs" / "experiments.toml")
CLICKS = """
[experiments.blue-button]
hypothesis = "Blue is seen."
varies = { flag = "button" }
variants = { grey = "grey", blue = "blue" }
control = "grey"
split = { grey = 50, blue = 50 }
primary = [{ metric = "click_through_rate", minimum_effect = 0.05 }]
horizon = "1 day"
sequential = false
"""


@pytest.fixture
def published(tmp_path: Path) -> None:
    """Forty users: each sees two items, every other one clicks both; one more has opted out."""
    path = tmp_path / "data" / "published" / "feedback.duckdb"
    path.parent.mkdir(parents=True)
    with duckdb.connect(path) as connection:
        tables = Tables(connection)
        for number in range(41):
            for item in ("i", "j"):
                seen = {
                    "user_id": f"u{number}",
                    "item_id": item,
                    "recommendation_id": f"r{number}",
                }
                tables.happen(number, **seen)
                if number % 2 == 0:
                    tables.happen(number + 1, event_type="item_clicked", **seen)
        tables.insert("interaction.user_preferences", "u40", True, False)
        tables.happen(600, event_type="page_viewed", user_id="late")


def test_a_plan_says_how_many_users_it_takes_and_whether_they_come(run: Run) -> None:
    arguments = (
        "experiments", "plan", EXAMPLES, "cards-at-home",
        "--baseline", "converting_users=0.2", "--users", "20000",
    )  # fmt: skip

    (plan,) = parsed(run(*arguments, "--json"))

    assert (plan["experiment"], plan["metric"]) == ("cards-at-home", "converting_users")
    # By hand: .98 of all, a half of the group, .8 of these.
    assert (plan["baseline"], plan["available"]) == (0.2, 7_840)
    assert plan["needed"] == sum(plan["arms"].values()) > plan["once"]
    text = run(*arguments).output
    assert f"grid {plan['arms']['grid']:,}, cards {plan['arms']['cards']:,}" in text
    assert (
        f"7,840 take part within 28 days, too few: they find {plan['detectable_effect']:+.3g}"
        in (text)
    )


def test_without_a_key_every_experiment_of_the_file_is_planned(run: Run) -> None:
    baselines = (
        "converting_users=0.2", "click_through_rate=0.1,0.15", "returning_users=0.3",
        "visits_per_user=3,2.5",
    )  # fmt: skip
    named = [word for each in baselines for word in ("--baseline", each)]

    plans = parsed(run("experiments", "plan", EXAMPLES, *named, "--json"))

    assert [plan["experiment"] for plan in plans] == [
        "cards-at-home",
        "ranker-by-dwell-time",
        "own-lists-in-the-sidebar",
        "more-exploration",
    ]
    text = run("experiments", "plan", EXAMPLES, *named).output
    assert text.count("--users tells") == 4
    assert "it is read once, so it takes popular" in text


@pytest.mark.usefixtures("published")
def test_what_trigger_rules_measure_is_the_baseline(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "experiments.toml"
    path.write_text(CLICKS)

    (plan,) = parsed(run("experiments", "plan", str(path), "--json"))

    # Who opted out of research is in no baseline either.
    assert (plan["baseline"], plan["available"]) == (0.5, 40)
    # By hand: half of the users click everything, half nothing, so the variance is .25 * 40 / 39,
    # and the users are four times that times (1.96 + .8416) ** 2 / .05 ** 2.
    assert plan["once"] == pytest.approx(3_220, abs=1)
    assert plan["days"] == 81

    explained = ("--correlation", "0.6", "--users", "1000000")
    (less,) = parsed(run("experiments", "plan", str(path), *explained, "--json"))
    assert less["once"] == pytest.approx(0.64 * plan["once"], abs=1)
    assert less["days"] == 1
    assert "enough: they find" in run("experiments", "plan", str(path), *explained).output


@pytest.mark.usefixtures("published")
def test_nobody_takes_part_at_nought_percent(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "experiments.toml"
    path.write_text(CLICKS + "percentage = 0\n")

    assert "nobody takes part within 1 day" in run("experiments", "plan", str(path)).output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nowhere.toml",), "The experiments' definitions nowhere.toml cannot be read"),
        ((EXAMPLES, "cards"), "has no experiment 'cards'; it has cards-at-home, ranker-by"),
        (
            (EXAMPLES, "cards-at-home"),
            "converting_users is not measured before experiments run; say",
        ),
        ((EXAMPLES, "ranker-by-dwell-time"), "Nothing is published at "),
        ((EXAMPLES, "--baseline", "clicks=3"), "--baseline is 'clicks=3'; it accepts a metric"),
        ((EXAMPLES, "--baseline", "converting_users=20"), "a share is above 0 and below 1"),
        ((EXAMPLES, "--baseline", "visits_per_user=3"), "standard deviation of one that is no"),
        ((EXAMPLES, "--baseline", "visits_per_user=3,0"), "standard deviation of one that is no"),
        ((EXAMPLES, "--baseline", "visits_per_user"), "it accepts a metric with its mean"),
        ((EXAMPLES, "--baseline", "converting_users=0.99"), "cannot change by +0.02: it would be"),
    ],
)
def test_what_cannot_be_planned_is_said_in_a_line(
    run: Run, arguments: tuple[str, ...], problem: str
) -> None:
    assert problem in the_error(run("experiments", "plan", *arguments))


def test_of_a_time_without_an_observation_nothing_is_known(run: Run, tmp_path: Path) -> None:
    published_path = tmp_path / "data" / "published" / "feedback.duckdb"
    published_path.parent.mkdir(parents=True)
    with duckdb.connect(published_path) as connection:
        Tables(connection)
    (tmp_path / "experiments.toml").write_text(CLICKS)

    line = the_error(run("experiments", "plan", "experiments.toml"))

    assert "Nothing was measured of click_through_rate in 1 day; say what it is" in line
