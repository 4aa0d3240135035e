"""The SQL of the models, in the dialect of another engine.

Models are written once, for DuckDB. What dbt compiled of one is parsed, rewritten where an engine
means something else by the same words, and written in its dialect. sqlglot knows the grammars; the
rules beside this module know what it does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from feedback_platform.errors import PermanentError
from feedback_platform.warehouse.engines import cloud_rules, spark_rules
from feedback_platform.warehouse.engines.rules import Rule, rewritten

RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "spark": spark_rules.RULES,
    "snowflake": cloud_rules.SNOWFLAKE,
    "bigquery": cloud_rules.BIGQUERY,
}
# What lies between them was written for DuckDB; macros/engines/materializations.sql sets them.
_PART: Final = re.compile(r"/\* from duckdb \*/(.*?)/\* to here \*/", re.DOTALL)


class TranslationError(PermanentError):
    """What a model says has no words in the other dialect."""


def translated(sql: str, engine: str) -> str:
    """Return a query of DuckDB's dialect in that of another engine.

    Args:
        sql: one query.
        engine: `spark`, `snowflake` or `bigquery`.

    Raises:
        TranslationError: it is no query of DuckDB's, or the engine cannot say the same.
    """
    try:
        query = sqlglot.parse_one(sql, read="duckdb")
        for rule in RULES[engine]:
            query = rewritten(query, rule)
        text = query.sql(dialect=engine, comments=False, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise TranslationError(
            f"A query cannot be said in the dialect of {engine}: {error}"
        ) from error
    _refuse_ambiguous_names(text, engine)
    return text


def translated_parts(statement: str, engine: str) -> str:
    """Return a statement with those parts translated that are marked as DuckDB's."""
    return _PART.sub(lambda part: translated(part[1], engine), statement)


def _refuse_ambiguous_names(sql: str, engine: str) -> None:
    """Refuse a query in which sqlglot brought two parts of the same name into one place."""
    for clause in sqlglot.parse_one(sql, read=engine).find_all(exp.With):
        names = Counter(part.alias for part in clause.expressions)
        twice = sorted(name for name, times in names.items() if times > 1)
        if twice:
            raise TranslationError(
                f"In the dialect of {engine} two parts of a query would have one name: "
                f"{', '.join(twice)}. Give one of them another name."
            )
