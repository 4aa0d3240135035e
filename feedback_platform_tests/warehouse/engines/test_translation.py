"""What the models say, in other dialects; expectations are by the engines' own documentation."""

from __future__ import annotations

from typing import Final

import pytest

from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.warehouse.engines.translation import (
    TranslationError,
    translated,
    translated_parts,
)
from feedback_platform.warehouse.transformation import DbtProject

OTHERS: Final = ("spark", "snowflake", "bigquery")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    directory = tmp_path_factory.mktemp("compiled")
    project = DbtProject(DBT_PROJECT_DIR, directory, directory / "nothing.duckdb")
    return project.compiled("spark")


def spark(expression: str) -> str:
    return translated(f"select {expression}", "spark").removeprefix("SELECT ")


@pytest.mark.parametrize("engine", OTHERS)
def test_every_model_can_be_said_in_each_dialect(compiled: dict[str, str], engine: str) -> None:
    models = sorted(path.stem for path in (DBT_PROJECT_DIR / "models").rglob("*.sql"))

    said = {name: translated(sql, engine) for name, sql in compiled.items()}

    # What does not parse in that dialect is refused there.
    assert sorted(said) == models
    assert all(said.values())


def test_the_first_in_order_passes_over_null_as_in_duckdb() -> None:
    assert spark("arg_min(a, row(b, c))") == (
        "MIN_BY(a, CASE WHEN NOT a IS NULL THEN STRUCT(b, c) END)"
    )


def test_a_list_is_sorted_by_its_keys_after_it_was_gathered() -> None:
    assert spark("list((a, b) order by a)") == (
        "TRANSFORM(SORT_ARRAY(COLLECT_LIST(NAMED_STRUCT('key_0', a, 'value', STRUCT(a, b)))), "
        "entry -> entry.value)"
    )


def test_the_filter_of_a_list_stays_with_what_gathers() -> None:
    assert spark("list(a order by a) filter (where c)") == (
        "TRANSFORM(SORT_ARRAY(COLLECT_LIST(NAMED_STRUCT('key_0', a, 'value', a)) "
        "FILTER(WHERE c)), entry -> entry.value)"
    )


def test_the_filter_of_a_window_becomes_a_case() -> None:
    assert spark("max(a) filter (where c) over (partition by d)") == (
        "MAX(CASE WHEN c THEN a END) OVER (PARTITION BY d)"
    )


def test_borders_between_times_are_counted_and_no_whole_units() -> None:
    assert spark("date_diff('second', a, b)") == (
        "(UNIX_SECONDS(CAST(b AS TIMESTAMP)) - UNIX_SECONDS(CAST(a AS TIMESTAMP)))"
    )


def test_rounding_is_that_of_the_scaled_double() -> None:
    assert spark("round(a, 9)") == (
        "(ROUND(CAST((a) AS DOUBLE) * CAST('1e9' AS DOUBLE)) / CAST('1e9' AS DOUBLE))"
    )


def test_a_row_is_found_among_rows_by_columns() -> None:
    assert spark("(a, b) in (select (c, d) from t)") == "(a, b) IN (SELECT c, d FROM t)"


def test_distinct_elements_are_without_null() -> None:
    assert spark("list_distinct([a, b])") == "ARRAY_COMPACT(ARRAY_DISTINCT(ARRAY(a, b)))"


def test_a_pointer_into_json_is_a_path() -> None:
    assert spark("a ->> '/signals/view'") == "GET_JSON_OBJECT(a, '$.signals.view')"


def test_only_what_is_marked_is_translated() -> None:
    statement = (
        "create table t using parquet as /* from duckdb */ select len(a) from b /* to here */"
    )

    assert translated_parts(statement, "spark") == (
        "create table t using parquet as SELECT SIZE(a) FROM b"
    )
    assert translated_parts("show tables in a", "spark") == "show tables in a"


def test_two_parts_of_one_name_are_refused() -> None:
    nested = "with a as (with b as (select 1 as x) select * from b), b as (select 2 as x) from a, b"

    with pytest.raises(TranslationError, match=r"two parts of a query would have one name: b"):
        translated(nested, "spark")


def test_what_is_no_query_is_refused_with_its_reason() -> None:
    with pytest.raises(TranslationError, match=r"cannot be said in the dialect of spark"):
        translated("select from where", "spark")


def test_a_list_in_descending_order_is_refused() -> None:
    with pytest.raises(TranslationError, match=r"ascending order only"):
        translated("select list(a order by a desc)", "spark")
