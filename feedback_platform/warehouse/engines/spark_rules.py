"""What Spark means otherwise than DuckDB by the same words, or has other words for.

Each rule takes one node of a parsed query, and gives the node that takes its place.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from feedback_platform.warehouse.engines.rules import (
    Rule,
    call,
    columns_of_subqueries,
    counted_elements,
    fields_of_row,
    first_of_order,
    four_bytes,
    known_types,
    paths_for_pointers,
    plain_json,
    sort_keys,
)

# Functions that count a unit from 1970 on, and of what.
_COUNTS: Final = {
    "MILLISECOND": ("unix_millis", "timestamptz"),
    "SECOND": ("unix_seconds", "timestamptz"),
    "DAY": ("unix_date", "date"),
}


def _windows_without_filter(node: exp.Expr) -> exp.Expr:
    """Spark knows `filter` for groups, and not for windows."""
    if isinstance(node, exp.Window) and isinstance(node.this, exp.Filter):
        aggregate, condition = node.this.this.copy(), node.this.expression.this
        aggregate.set("this", exp.Case().when(condition.copy(), aggregate.this.copy()))
        node.set("this", aggregate)
    return node


def _rows_as_structs(node: exp.Expr) -> exp.Expr:
    """Any other row of values is a struct."""
    fields = fields_of_row(node)
    if fields is None or isinstance(node.parent, exp.In | exp.Values):
        return node
    return call("struct", *fields)


def _lists_in_order(node: exp.Expr) -> exp.Expr:
    """A list is gathered in any order and sorted then, by keys that each element carries."""
    if not (isinstance(node, exp.ArrayAgg) and isinstance(node.this, exp.Order)):
        return node
    named = [("value", node.this.this.copy())]
    named[:0] = [(f"key_{place}", key) for place, key in enumerate(sort_keys(node.this))]
    pairs = [part for name, value in named for part in (exp.Literal.string(name), value)]
    gathered: exp.Expr = call("collect_list", call("named_struct", *pairs))
    if isinstance(node.parent, exp.Filter):
        # It belongs to what gathers, not to what sorts; see _filters_moved.
        condition = node.parent.expression.this.copy()
        gathered = exp.Filter(this=gathered, expression=exp.Where(this=condition))
    value = exp.Lambda(
        this=exp.column("value", table="entry"), expressions=[exp.to_identifier("entry")]
    )
    return call("transform", call("sort_array", gathered), value)


def _filters_moved(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Filter) and node.this.name == "transform":
        return node.this
    return node


def _differences_in_time(node: exp.Expr) -> exp.Expr:
    """DuckDB counts the borders of a unit that lie between; Spark would count whole units."""
    if not isinstance(node, exp.DateDiff):
        return node
    count, kind = _COUNTS[node.args["unit"].name.upper()]
    later, earlier = (
        call(count, exp.cast(end.copy(), kind)) for end in (node.this, node.expression)
    )
    return exp.Paren(this=exp.Sub(this=later, expression=earlier))


def _days_between_dates(node: exp.Expr) -> exp.Expr:
    """The difference of two dates is a number of days, and no interval."""
    if isinstance(node, exp.Sub) and all(
        isinstance(side, exp.Cast) and side.to.is_type("date")
        for side in (node.this, node.expression)
    ):
        return call("datediff", node.this.copy(), node.expression.copy())
    return node


def _distinct_elements(node: exp.Expr) -> exp.Expr:
    """DuckDB leaves null out of the distinct elements of a list."""
    if isinstance(node, exp.ArrayDistinct):
        return call("array_compact", call("array_distinct", node.this.copy()))
    return node


def _numbers_as_doubles(node: exp.Expr) -> exp.Expr:
    """DuckDB divides literals as doubles; a decimal of Spark's would lose digits."""
    if isinstance(node, exp.Literal) and not node.is_string and not node.is_int:
        return exp.cast(exp.Literal.string(node.name), "double")
    return node


def _rounding(node: exp.Expr) -> exp.Expr:
    """DuckDB rounds the double times a power of ten, Spark the shortest text of the double."""
    if isinstance(node, exp.Round) and node.args.get("decimals") is not None:
        scale = exp.cast(exp.Literal.string(f"1e{node.args['decimals'].name}"), "double")
        scaled = exp.Mul(this=exp.cast(exp.paren(node.this.copy()), "double"), expression=scale)
        return exp.Paren(
            this=exp.Div(this=exp.Round(this=scaled), expression=scale.copy(), typed=True)
        )
    return node


def _hashes(node: exp.Expr) -> exp.Expr:
    digits = four_bytes(node, lambda key: call("md5", key))
    if digits is None:
        return node
    return call("conv", digits, exp.Literal.number(16), exp.Literal.number(10))


def _elements(node: exp.Expr) -> exp.Expr:
    """An element that is not there is null, and no error."""
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1:
        place = node.expressions[0]
        if isinstance(place, exp.Literal) and place.is_int:
            return call("get", node.this.copy(), place.copy())
    return node


def _times_as_texts(node: exp.Expr) -> exp.Expr:
    """Letters of a format that stand for themselves are quoted."""
    if isinstance(node, exp.TimeToStr) and node.args["format"].name == "%Y-%m-%dT%H:%M:%S.%fZ":
        pattern = exp.Literal.string("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")
        return call("date_format", node.this.copy(), pattern)
    return node


RULES: Final[tuple[Rule, ...]] = (
    plain_json,
    paths_for_pointers,
    counted_elements,
    first_of_order,
    _windows_without_filter,
    columns_of_subqueries,
    _lists_in_order,
    _filters_moved,
    _rows_as_structs,
    _distinct_elements,
    _differences_in_time,
    _days_between_dates,
    _rounding,
    _numbers_as_doubles,
    _hashes,
    known_types,
    _elements,
    _times_as_texts,
)
