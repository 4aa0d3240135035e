"""What Snowflake and BigQuery mean otherwise than DuckDB by the same words, or say in others.

Nothing here ran on either: see docs/warehouses.md for what was checked of it, and how.
"""

from __future__ import annotations

from typing import Final

import sqlglot
from sqlglot import exp, jsonpath
from sqlglot.errors import UnsupportedError

from feedback_platform.warehouse.engines.rules import (
    Rule,
    call,
    columns_of_subqueries,
    counted_elements,
    fields_of_row,
    four_bytes,
    known_types,
)


def _paths_in_json(node: exp.Expr) -> exp.Expr:
    """A known JSON pointer is a path; of one made of a property's name, the name is left."""
    if not isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
        return node
    place = node.expression
    if isinstance(place, exp.Literal) and place.name.startswith("/"):
        path = "$" + place.name.replace("/", ".")
        node.set("expression", jsonpath.parse(path))
    elif isinstance(place, exp.Paren | exp.DPipe):
        (name,) = place.find_all(exp.Column)
        parsed = exp.ParseJSON(this=exp.cast(node.this.copy(), "text"))
        value = exp.Bracket(this=parsed, expressions=[name.copy()])
        if isinstance(node, exp.JSONExtract):
            return value
        return exp.JSONExtractScalar(this=value, expression=jsonpath.parse("$"))
    elif not isinstance(place, exp.JSONPath):
        raise UnsupportedError("A path in JSON has to be known beforehand.")
    return node


def _no_entries(node: exp.Expr) -> exp.Expr:
    """Where maps are objects, so is an empty one."""
    if isinstance(node, exp.Map) and not node.args.get("keys"):
        return exp.ParseJSON(this=exp.Literal.string("{}"))
    return node


def _compared_rows(node: exp.Expr) -> exp.Expr:
    """Two rows differ where they are not equal in every value."""
    if isinstance(node, exp.NEQ):
        left, right = fields_of_row(node.this), fields_of_row(node.expression)
        if left is not None and right is not None:
            pairs = [
                exp.EQ(this=one, expression=other) for one, other in zip(left, right, strict=True)
            ]
            return exp.Not(this=exp.paren(exp.and_(*pairs)))
    return node


def _entries(node: exp.Expr) -> tuple[exp.Expr, exp.Expr] | None:
    """Return key and value of `map_from_entries(list((key, value) order by key))`."""
    if isinstance(node, exp.MapFromEntries) and isinstance(node.this, exp.ArrayAgg):
        order = node.this.this
        fields = fields_of_row(order.this if isinstance(order, exp.Order) else order)
        if fields is not None:
            return fields[0], fields[1]
    return None


def _objects_of_snowflake(node: exp.Expr) -> exp.Expr:
    entries = _entries(node)
    return call("object_agg", *entries) if entries is not None else node


def _objects_of_bigquery(node: exp.Expr) -> exp.Expr:
    """BigQuery has no maps; an object of JSON is what comes nearest."""
    entries = _entries(node)
    if entries is None:
        return node
    template = "JSON_OBJECT(ARRAY_AGG(k ORDER BY k), ARRAY_AGG(v ORDER BY k))"
    return _filled(template, {"k": entries[0], "v": entries[1]}, "bigquery")


def _counted_rows_of_snowflake(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Distinct) and len(node.expressions) == 1:
        fields = fields_of_row(node.expressions[0])
        if fields is not None:
            node.set("expressions", fields)
    return node


def _counted_rows_of_bigquery(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Distinct) and len(node.expressions) == 1:
        fields = fields_of_row(node.expressions[0])
        if fields is not None:
            node.set("expressions", [call("to_json_string", call("struct", *fields))])
    return node


def _first_of_snowflake(node: exp.Expr) -> exp.Expr:
    """The first of a list in order; a variant, until the type of a model's column casts it."""
    return _first(node, "GET(ARRAY_AGG(x) WITHIN GROUP (ORDER BY {keys}), 0)", "snowflake")


def _first_of_bigquery(node: exp.Expr) -> exp.Expr:
    template = "ARRAY_AGG(x IGNORE NULLS ORDER BY {keys} LIMIT 1)[SAFE_OFFSET(0)]"
    return _first(node, template, "bigquery")


def _first(node: exp.Expr, template: str, dialect: str) -> exp.Expr:
    if not isinstance(node, exp.ArgMin | exp.ArgMax):
        return node
    value = node.this.copy()
    keys = fields_of_row(node.expression) or [node.expression.copy()]
    outer = node.parent
    if isinstance(outer, exp.Filter):
        condition = outer.expression.this.copy()
        value = exp.Case().when(condition, value)
    named = {f"key_{place}": key for place, key in enumerate(keys)}
    way = " DESC" if isinstance(node, exp.ArgMax) else ""
    text = template.format(keys=", ".join(f"{name}{way}" for name in named))
    return _filled(text, {"x": value, **named}, dialect)


def _filters_moved(node: exp.Expr) -> exp.Expr:
    """The filter of the first of a list is in the list already."""
    if isinstance(node, exp.Filter) and isinstance(node.this, exp.Bracket | exp.GetExtract):
        return node.this
    return node


def _filled(template: str, parts: dict[str, exp.Expr], dialect: str) -> exp.Expr:
    expression: exp.Expr = sqlglot.parse_one(template, read=dialect)
    for column in list(expression.find_all(exp.Column)):
        column.replace(exp.paren(parts[column.name].copy()))
    return expression


def _hashes_of_snowflake(node: exp.Expr) -> exp.Expr:
    digits = four_bytes(node, lambda key: call("md5", key))
    return node if digits is None else call("to_number", digits, exp.Literal.string("XXXXXXXX"))


def _hashes_of_bigquery(node: exp.Expr) -> exp.Expr:
    digits = four_bytes(node, lambda key: call("to_hex", call("md5", key)))
    if digits is None:
        return node
    return exp.cast(call("concat", exp.Literal.string("0x"), digits), "bigint")


def _orders_of_bigquery(node: exp.Expr) -> exp.Expr:
    """In aggregates BigQuery has one order of nulls; models sort by nothing that is null."""
    if isinstance(node, exp.Ordered) and node.find_ancestor(exp.ArrayAgg, exp.Window):
        node.set("nulls_first", not node.args.get("desc"))
    return node


def _distinct_lists_of_bigquery(node: exp.Expr) -> exp.Expr:
    """`list_sort(list_distinct(list(x)))` gathers each value once, in order."""
    if (
        isinstance(node, exp.ArraySort)
        and isinstance(node.this, exp.ArrayDistinct)
        and isinstance(node.this.this, exp.ArrayAgg)
    ):
        template = "ARRAY_AGG(DISTINCT x ORDER BY x)"
        return _filled(template, {"x": node.this.this.this}, "bigquery")
    return node


def _distinct_elements_of_snowflake(node: exp.Expr) -> exp.Expr:
    """DuckDB leaves null out of the distinct elements of a list."""
    if isinstance(node, exp.ArrayDistinct):
        return call("array_compact", call("array_distinct", node.this.copy()))
    return node


def _distinct_elements_of_bigquery(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.ArrayDistinct):
        template = (
            "ARRAY(SELECT DISTINCT element FROM UNNEST(x) AS element WHERE NOT element IS NULL)"
        )
        whole: exp.Expr = sqlglot.parse_one(template, read="bigquery")
        for unnest in list(whole.find_all(exp.Unnest)):
            unnest.set("expressions", [node.this.copy()])
        return whole
    return node


_SHARED: Final[tuple[Rule, ...]] = (
    _paths_in_json,
    counted_elements,
    columns_of_subqueries,
    _compared_rows,
    _no_entries,
    known_types,
)
SNOWFLAKE: Final[tuple[Rule, ...]] = (
    *_SHARED,
    _hashes_of_snowflake,
    _distinct_elements_of_snowflake,
    _objects_of_snowflake,
    _counted_rows_of_snowflake,
    _first_of_snowflake,
    _filters_moved,
)
BIGQUERY: Final[tuple[Rule, ...]] = (
    *_SHARED,
    _hashes_of_bigquery,
    _distinct_lists_of_bigquery,
    _distinct_elements_of_bigquery,
    _objects_of_bigquery,
    _counted_rows_of_bigquery,
    _first_of_bigquery,
    _filters_moved,
    _orders_of_bigquery,
)
