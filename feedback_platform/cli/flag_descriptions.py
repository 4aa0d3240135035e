"""How flags and their changes are shown, to people and to programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from feedback_platform.adjustment.flags.definition import Flag, as_table
from feedback_platform.adjustment.flags.evaluation import CompiledFlag
from feedback_platform.adjustment.flags.flags import Revision


def state(flag: Flag) -> str:
    """Return the state of a flag, as the definitions file spells it."""
    return "enabled" if flag.is_enabled else "disabled"


def described(found: CompiledFlag) -> dict[str, Any]:
    """Return a flag as a program reads it: its definition, with key and revision."""
    return {"key": found.flag.key, "revision": found.revision, **as_table(found.flag)}


def revision_row(found: Revision) -> dict[str, Any]:
    """Return a change as a program reads it."""
    author = found.author
    who = {"revision": found.revision, "at": author.at, "by": author.by, "reason": author.reason}
    return {**who, "before": found.change.before, "after": found.change.after}


def differences(found: Revision) -> dict[str, tuple[str, str]]:
    """Return which entries of the definition changed, each as it was and as it became."""
    before, after = found.change.before, found.change.after
    if before is None or after is None:
        return {"flag": ("none", "defined") if before is None else ("defined", "removed")}
    old, new = _entries(before), _entries(after)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return {name: (_text(old.get(name)), _text(new.get(name))) for name in names}


def _entries(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a definition, each rule by its name."""
    rules = {rule["name"]: rule for rule in table.get("rules", [])}
    entries = {name: value for name, value in table.items() if name != "rules"}
    described = {f"rule {name}": _without_name(rule) for name, rule in rules.items()}
    return {**entries, "rules": list(rules), **described}


def _without_name(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if name != "name"}


def _text(value: Any) -> str:
    return "none" if value is None else orjson.dumps(value).decode()
