from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import jinja2
import pytest

from feedback_platform.experiments.assignment import Absence, CompiledExperiment, Participant
from feedback_platform.experiments.definition import HoldOut
from feedback_platform.taking_part import TAKES_PART, THOSE_TAKING_PART, takes_part
from feedback_platform.warehouse.preferences import COUNTED
from feedback_platform_tests.experiments.arms import experiment

MACROS = Path(__file__).parents[1] / "dbt_project" / "macros"

# User → personalisation, research and the signals that are off; nobody heard `silent` say anything.
SAID = {
    "all": (True, True, []),
    "no_clicks": (True, True, ["click"]),
    "no_research": (True, False, []),
    "no_personalisation": (False, True, []),
    "nothing": (False, False, ["click"]),
}
TAKING_PART = ["all", "no_clicks", "silent"]


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        connection.execute("create schema interaction")
        connection.execute(
            "create table interaction.user_preferences "
            "(user_id varchar, personalisation boolean, research boolean, signals_off varchar[])"
        )
        for user_id, said in SAID.items():
            connection.execute(
                "insert into interaction.user_preferences values ($1, $2, $3, $4)", [user_id, *said]
            )
        connection.execute("create table people (user_id varchar)")
        connection.executemany("insert into people values ($1)", [[name] for name in SAID])
        connection.execute("insert into people values ('silent')")
        yield connection


@pytest.fixture(scope="module")
def macros() -> dict[str, str]:
    """What the macros of dbt say for DuckDB."""
    rendered = {}
    for file, call in {
        "user_days.sql": "users_not_measured()",
        "preferences.sql": "counted_feedback('given', 'interaction.user_preferences')",
    }.items():
        environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)  # noqa: S701 - SQL
        environment.globals["ref"] = lambda name: f"interaction.{name}"
        template = environment.from_string((MACROS / file).read_text() + "{{ " + call + " }}")
        rendered[call.partition("(")[0]] = template.render().rpartition("\n\n")[2]
    return rendered


def test_python_sql_and_dbt_agree_on_who_takes_part(
    warehouse: duckdb.DuckDBPyConnection, macros: dict[str, str]
) -> None:
    by_python = [
        user_id
        for user_id, (is_personalised, allows_research, _) in SAID.items()
        if takes_part(is_personalised=is_personalised, allows_research=allows_research)
    ]

    assert [*by_python, "silent"] == TAKING_PART
    assert _users(warehouse, f"from people where {TAKES_PART}") == TAKING_PART
    assert _users(warehouse, f"from people {THOSE_TAKING_PART}") == TAKING_PART
    not_measured = macros["users_not_measured"]
    assert _users(warehouse, f"from people anti join {not_measured} using (user_id)") == TAKING_PART


def test_no_other_query_has_a_condition_of_its_own() -> None:
    project = MACROS.parents[1]
    sources = [*project.glob("feedback_platform/**/*.py"), *project.glob("dbt_project/**/*.sql")]

    having = {each.name for each in sources if "(personalisation and research)" in each.read_text()}

    # The last asks who said anything at all that a server has to know.
    assert having == {"taking_part.py", "user_days.sql", "current_users.py"}


def test_who_takes_no_part_is_in_no_experiment() -> None:
    for_all = CompiledExperiment(experiment(), HoldOut())

    for user_id, (is_personalised, allows_research, _) in SAID.items():
        found = for_all.assign(Participant(user_id, {}, is_personalised, allows_research))
        assert (found is Absence.OPTED_OUT) == (user_id not in TAKING_PART)


def test_nobody_takes_part_without_a_name_whether_anybody_opted_out_or_not(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    warehouse.execute("insert into people values (null)")

    assert _users(warehouse, f"from people where {TAKES_PART}") == TAKING_PART
    named = f"from people {THOSE_TAKING_PART} where user_id is not null"
    assert _users(warehouse, named) == TAKING_PART
    warehouse.execute("delete from interaction.user_preferences")
    assert _users(warehouse, f"from people where {TAKES_PART}") == sorted([*SAID, "silent"])


def test_readers_and_scores_agree_on_whose_feedback_counts(
    warehouse: duckdb.DuckDBPyConnection, macros: dict[str, str]
) -> None:
    warehouse.execute(
        "create table given as select user_id, unnest(['click', 'rating']) as signal from people"
    )
    counted = [
        ("all", "click"), ("all", "rating"), ("no_clicks", "rating"), ("no_research", "click"),
        ("no_research", "rating"), ("silent", "click"), ("silent", "rating"),
    ]  # fmt: skip

    read = warehouse.execute(f"select user_id, signal from given {COUNTED} order by all")
    assert read.fetchall() == counted
    scored = macros["counted_feedback"]
    read = warehouse.execute(f"select user_id, signal from ({scored}) order by all")
    assert read.fetchall() == counted


def _users(warehouse: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    found = warehouse.execute(f"select user_id {relation} order by user_id").fetchall()
    return [user_id for (user_id,) in found]
