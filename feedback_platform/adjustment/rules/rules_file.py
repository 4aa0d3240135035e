"""The trigger rules as a person wrote them: `rules.toml`, or a file in its place."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from feedback_platform.adjustment.rules.definition import (
    EACH,
    Action,
    Comparison,
    Each,
    Guard,
    Kind,
    OnExpiry,
    Rule,
    Scope,
    Watch,
    scope_of,
)
from feedback_platform.adjustment.rules.metrics import CATEGORY, METRICS, Metric
from feedback_platform.errors import InvalidInputError
from feedback_platform.text_file import read_text_file
from feedback_platform.toml_entries import Entries

MODELS: Final = ("recommender",)
# It is part of who is written down in the history of a flag.
LONGEST_NAME: Final = 100
DEFAULT_LEVEL: Final = 0.99
# With fewer, no interval says anything.
SMALLEST_SAMPLE: Final = 20

_RULE: Final = (
    "name", "metric", "scope", "window", "comparison", "threshold", "rearm", "minimum_sample",
    "level", "cooldown", "expires_after", "on_expiry", "action", "guards",
)  # fmt: skip
_GUARD: Final = ("metric", "scope", "margin", "window", "minimum_sample", "level")
_ACTION: Final = {
    Kind.FLAG: ("kind", "flag", "variant"),
    Kind.HIDE_CATEGORY: ("kind", "category"),
    Kind.BOOST_CATEGORY: ("kind", "category"),
    Kind.ROLL_BACK_MODEL: ("kind", "model"),
    Kind.START_EXPERIMENT: ("kind", "experiment"),
    Kind.WEBHOOK: ("kind",),
}
_NOT_YET: Final = {
    "layout": "a layout is a flag: write kind = 'flag', and the layout as its variant",
}
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_GAP: Final = re.compile(r"\{([^{}]*)\}")


def load_trigger_rules(path: Path | None, *, has_webhook: bool = False) -> tuple[Rule, ...]:
    """Read and check the trigger rules of this installation.

    Args:
        path: of the user's file (`FEEDBACK_TRIGGER_RULES`), or None for the rules that ship.
        has_webhook: whether there is an address that rules may call.

    Raises:
        InvalidInputError: the file cannot be read, or says what no rule can mean; the text names
            the file, the rule, the field and what is accepted.
    """
    if path is None:
        return default_trigger_rules()
    text = read_text_file(path, "The trigger rules", "FEEDBACK_TRIGGER_RULES names a TOML file")
    return parse_trigger_rules(text, origin=str(path), has_webhook=has_webhook)


@cache
def default_trigger_rules() -> tuple[Rule, ...]:
    """Return the rules that ship with the platform."""
    text = files("feedback_platform.adjustment").joinpath("rules.toml").read_text("utf-8")
    return parse_trigger_rules(text, origin="rules.toml")


def parse_trigger_rules(text: str, *, origin: str, has_webhook: bool = False) -> tuple[Rule, ...]:
    """Read rules from TOML.

    Args:
        text: the file's content.
        origin: its name, for errors.
        has_webhook: whether there is an address that rules may call.

    Raises:
        InvalidInputError: see `load_trigger_rules`.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{origin} is not valid TOML: {error}") from error
    listed = Entries(tables, origin, ("rules",)).value("rules", [])
    if not isinstance(listed, list):
        raise InvalidInputError(f"{origin}: rules is {listed!r}; write [[rules]] above each rule.")
    rules: dict[str, Rule] = {}
    for number, table in enumerate(listed, start=1):
        rule = _rule(table, origin, number, has_webhook=has_webhook)
        if rule.name in rules:
            raise InvalidInputError(
                f"{origin} has two rules {rule.name!r}; the ledger knows rules by their names."
            )
        rules[rule.name] = rule
    return tuple(rules.values())


def _rule(table: Any, origin: str, number: int, *, has_webhook: bool) -> Rule:
    entries = Entries(table, f"{origin}: rule {number}", _RULE)
    name = entries.text("name")
    if not _NAME.fullmatch(name):
        raise entries.refused("name", "lower-case letters, digits and dashes")
    if len(name) > LONGEST_NAME:
        raise entries.refused("name", f"at most {LONGEST_NAME} characters")
    entries.where = f"{origin}: rule {name!r}"
    metric, defined = _metric(entries)
    scope = _scope(entries, metric, defined)
    comparison = Comparison(entries.one_of("comparison", list(Comparison)))
    threshold = entries.number("threshold", defined.low, defined.high)
    return Rule(
        name=name,
        metric=metric,
        scope=scope,
        window=entries.duration("window"),
        comparison=comparison,
        threshold=threshold,
        rearm=_rearm(entries, defined, comparison, threshold),
        minimum_sample=entries.count("minimum_sample", SMALLEST_SAMPLE),
        level=_level(entries, DEFAULT_LEVEL),
        cooldown=entries.duration("cooldown"),
        action=_action(entries, scope, has_webhook=has_webhook),
        watch=_watch(entries, scope),
    )


def _metric(entries: Entries) -> tuple[str, Metric]:
    name = entries.one_of("metric", list(METRICS))
    return name, METRICS[name]


def _scope(entries: Entries, metric: str, defined: Metric) -> dict[str, str | Each]:
    """Return what a scope says, checked against what the metric can be measured by."""
    scope = entries.value("scope", {})
    accepted = (
        f"a table of {', '.join(defined.dimensions)}, each with a value or {EACH.value!r}: "
        f"{metric} is known by no other"
    )
    is_table = isinstance(scope, dict) and all(
        name in defined.dimensions and isinstance(value, str) and value
        for name, value in scope.items()
    )
    if not is_table:
        raise entries.refused("scope", accepted)
    return scope_of(scope)


def _rearm(entries: Entries, defined: Metric, comparison: Comparison, threshold: float) -> float:
    """Return the second threshold; it lies on the good side of the first."""
    if comparison is Comparison.BELOW:
        return entries.number("rearm", threshold, defined.high)
    return entries.number("rearm", defined.low, threshold)


def _level(entries: Entries, default: float) -> float:
    return entries.number("level", 0.5, 1, default, is_open=True)


def _action(entries: Entries, scope: Scope, *, has_webhook: bool) -> Action:
    table = entries.value("action")
    where = f"{entries.where}, action"
    every = dict.fromkeys(name for names in _ACTION.values() for name in names)
    kind = table.get("kind") if isinstance(table, dict) else None
    if isinstance(kind, str) and kind in _NOT_YET:
        raise InvalidInputError(f"{where}: kind is {kind!r}, but {_NOT_YET[kind]}.")
    chosen = Kind(Entries(table, where, every).one_of("kind", list(Kind)))
    action = Entries(table, where, _ACTION[chosen])
    if chosen is Kind.WEBHOOK:
        if not has_webhook:
            raise InvalidInputError(
                f"{where}: kind is 'webhook', but there is no address to call; "
                "set FEEDBACK_WEBHOOK_URL and FEEDBACK_WEBHOOK_SECRET."
            )
        return Action(chosen)
    if chosen is Kind.ROLL_BACK_MODEL:
        return Action(chosen, action.one_of("model", MODELS))
    if chosen is Kind.FLAG:
        flag = _filled(action, "flag", scope)
        return Action(chosen, flag, _filled(action, "variant", scope))
    if chosen is Kind.START_EXPERIMENT:
        return Action(chosen, _filled(action, "experiment", scope))
    return Action(chosen, _filled(action, CATEGORY, scope))


def _filled(entries: Entries, name: str, scope: Scope) -> str:
    """Return a text whose gaps are dimensions of the scope."""
    text = entries.text(name)
    for gap in _GAP.findall(text):
        if gap not in scope:
            named = ", ".join(f"{{{each}}}" for each in scope) or "none: the scope names nothing"
            raise entries.refused(name, f"a text in which these stand for what was met: {named}")
    return text


def _watch(entries: Entries, scope: Scope) -> Watch:
    tables = entries.value("guards", [])
    if not isinstance(tables, list):
        raise entries.refused("guards", "tables, each under [[rules.guards]]")
    guards = tuple(
        _guard(table, f"{entries.where}, guard {number}", scope)
        for number, table in enumerate(tables, start=1)
    )
    # Without guards there is nothing to be undecided about: it says how long the change lasts.
    is_for_a_while = not guards and "expires_after" in entries
    default = OnExpiry.UNDO if is_for_a_while else OnExpiry.KEEP
    on_expiry = OnExpiry(entries.one_of("on_expiry", list(OnExpiry), default))
    expires_after = entries.duration("expires_after") if "expires_after" in entries else None
    if expires_after is None and on_expiry is OnExpiry.UNDO:
        raise InvalidInputError(
            f"{entries.where}: on_expiry is 'undo'; say when, in expires_after."
        )
    if expires_after is None and guards:
        raise InvalidInputError(
            f"{entries.where} lacks expires_after: for so long its guards are waited for."
        )
    if expires_after is not None and any(guard.window > expires_after for guard in guards):
        raise entries.refused("expires_after", "no less than the longest window of its guards")
    return Watch(guards, expires_after, on_expiry)


def _guard(table: Any, where: str, scope: Scope) -> Guard:
    entries = Entries(table, where, _GUARD)
    metric, defined = _metric(entries)
    return Guard(
        metric=metric,
        scope=_guard_scope(entries, metric, defined, scope),
        margin=entries.number("margin", 0, defined.high - defined.low),
        window=entries.duration("window"),
        minimum_sample=entries.count("minimum_sample", SMALLEST_SAMPLE),
        level=_level(entries, DEFAULT_LEVEL),
    )


def _guard_scope(
    entries: Entries, metric: str, defined: Metric, scope: Scope
) -> dict[str, str | Each]:
    """Return the guard's scope: the rule's own when left out, as far as the metric knows it."""
    if "scope" not in entries:
        return {name: value for name, value in scope.items() if name in defined.dimensions}
    chosen = _scope(entries, metric, defined)
    for name, value in chosen.items():
        if value is EACH and scope.get(name) is not EACH:
            raise entries.refused(
                "scope",
                f"{EACH.value!r} only where the scope of the rule has it: {name} there has not",
            )
    return chosen
