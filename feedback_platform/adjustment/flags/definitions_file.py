"""The file in which people define flags: TOML, a table `[flags.<key>]` each."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from feedback_platform.adjustment.flags.definition import Flag
from feedback_platform.adjustment.flags.parsing import parse_flag
from feedback_platform.errors import InvalidInputError
from feedback_platform.text_file import read_text_file


def load_definitions(path: Path) -> dict[str, Flag]:
    """Return the flags of a file, by key.

    Raises:
        InvalidInputError: the file cannot be read, or an entry is not accepted; the text names
            the file, the flag, the entry, and what it accepts.
    """
    text = read_text_file(path, "The flags' definitions", "name a TOML file")
    return parse_definitions(text, origin=str(path))


def shipped_definitions() -> dict[str, Flag]:
    """Return the flags of an installation without a file of its own."""
    text = files("feedback_platform.adjustment").joinpath("flags.toml").read_text("utf-8")
    return parse_definitions(text, origin="flags.toml")


def parse_definitions(text: str, *, origin: str) -> dict[str, Flag]:
    """Return the flags that a text defines.

    Args:
        text: TOML.
        origin: its name, for the error.

    Raises:
        InvalidInputError: see `load_definitions`.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{origin} is not valid TOML: {error}") from error
    unknown = [name for name in document if name != "flags"]
    if unknown:
        raise InvalidInputError(
            f"{origin} has an unknown table {unknown[0]!r}; it accepts tables [flags.<key>]."
        )
    flags = document.get("flags", {})
    if not isinstance(flags, dict):
        raise InvalidInputError(f"{origin}: flags is {flags!r}; it accepts tables [flags.<key>].")
    return {key: parse_flag(key, table, origin=origin) for key, table in flags.items()}
