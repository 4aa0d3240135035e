"""Flags for tests, each said in as few words as it takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from feedback_platform.adjustment.flags.context import Context
from feedback_platform.adjustment.flags.definition import Flag
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.parsing import parse_flag

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Author("person:ada", "to try it", NOON)


def flag(*rules: dict[str, Any], key: str = "layout", **entries: Any) -> Flag:
    """A flag with the variants list (the default), cards and grid."""
    table: dict[str, Any] = {
        "type": "string",
        "default": "list",
        "variants": {"list": "list", "cards": "cards", "grid": "grid"},
        "rules": [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules)],
    }
    return parse_flag(key, table | entries, origin="flags.toml")


def switch(key: str = "switch", *, default: str = "off", **entries: Any) -> Flag:
    table = {"type": "boolean", "default": default, "variants": {"on": True, "off": False}}
    return parse_flag(key, table | entries, origin="flags.toml")


def person(key: str | None = "ada", *, is_personalised: bool = True, **attributes: Any) -> Context:
    return Context(key, attributes, is_personalised)
