"""Rules that more than one engine needs, and what rules look at."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.errors import UnsupportedError

Rule = Callable[[exp.Expr], exp.Expr]


def rewritten(query: exp.Expr, rule: Rule) -> exp.Expr:
    """Return a query with each node in it replaced by what a rule makes of it, inner ones first."""
    for node in reversed(list(query.walk())):
        other = rule(node)
        if other is not node:
            if node is query:
                query = other
            else:
                node.replace(other)
    return query


def fields_of_row(node: exp.Expr) -> list[exp.Expr] | None:
    """Return the values of `row(a, b)` or `(a, b)`; nothing of anything else."""
    is_row = isinstance(node, exp.Anonymous) and node.name.lower() == "row"
    if is_row or isinstance(node, exp.Tuple):
        return [field.copy() for field in node.expressions]
    return None


def sort_keys(order: exp.Order) -> list[exp.Expr]:
    """Return what a list is sorted by.

    Raises:
        UnsupportedError: it is in descending order, which no model needs so far.
    """
    if any(key.args.get("desc") for key in order.expressions):
        raise UnsupportedError("Lists are gathered in ascending order only.")
    return [key.this.copy() for key in order.expressions]


def call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """Return a call of a function by that very name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def plain_json(node: exp.Expr) -> exp.Expr:
    """JSON is a text: what is called JSON was one already."""
    if isinstance(node, exp.Cast) and node.to.is_type("json"):
        return exp.cast(node.this.copy(), "text")
    return node


def paths_for_pointers(node: exp.Expr) -> exp.Expr:
    """Only DuckDB reads `/signals/view`, a JSON pointer; others have `$.signals.view`."""
    if not isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
        return node
    place = node.expression
    if isinstance(place, exp.JSONPath):
        return node
    if isinstance(place, exp.Literal):
        if place.name.startswith("/"):
            place.replace(exp.Literal.string("$" + place.name.replace("/", ".")))
        return node
    dotted = call("replace", place.copy(), exp.Literal.string("/"), exp.Literal.string("."))
    return call(
        "get_json_object", node.this.copy(), call("concat", exp.Literal.string("$"), dotted)
    )


def counted_elements(node: exp.Expr) -> exp.Expr:
    """`len` counts the elements of a list here; elsewhere it would count letters."""
    if isinstance(node, exp.Length):
        return exp.ArraySize(this=node.this.copy())
    return node


def first_of_order(node: exp.Expr) -> exp.Expr:
    """DuckDB's `arg_min` passes over rows whose value is null; others give that null."""
    if isinstance(node, exp.ArgMin | exp.ArgMax):
        order = node.expression.copy()
        condition = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.Null()))
        node.set("expression", exp.Case().when(condition, order))
    return node


def columns_of_subqueries(node: exp.Expr) -> exp.Expr:
    """`(a, b) in (select (a, b) …)` has two columns on both sides, and no struct on either."""
    if isinstance(node, exp.In) and isinstance(node.args.get("query"), exp.Subquery):
        select = node.args["query"].this
        if isinstance(select, exp.Select) and len(select.expressions) == 1:
            fields = fields_of_row(select.expressions[0])
            if fields is not None:
                select.set("expressions", fields)
    return node


def four_bytes(node: exp.Expr, digest: Callable[[exp.Expr], exp.Expr]) -> exp.Expr | None:
    """Return the digits of the four bytes of a key's MD5 that DuckDB reads as a number.

    It reads the last of them first. Nothing comes of any other expression.

    Args:
        node: `md5_number_lower(key) & 4294967295`.
        digest: makes the hexadecimal digits of the whole MD5.
    """
    if not (isinstance(node, exp.BitwiseAnd) and node.this.name == "md5_number_lower"):
        return None
    (key,) = node.this.expressions
    pairs = [
        call("substr", digest(key.copy()), exp.Literal.number(place), exp.Literal.number(2))
        for place in (23, 21, 19, 17)
    ]
    return call("concat", *pairs)


def known_types(node: exp.Expr) -> exp.Expr:
    """Others have no unsigned numbers, and none of 128 bits but decimals; JSON is a text."""
    if isinstance(node, exp.DataType):
        if node.is_type("uint"):
            return exp.DataType.build("bigint")
        if node.is_type("int128"):
            return exp.DataType.build("decimal(38, 0)")
        if node.is_type("json"):
            return exp.DataType.build("text")
    return node
