"""What capacity.py is told and keeps: assumptions, the file of costs, and the page.

Whatever is wrong with them ends the script with one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from capacity_sizing import Assumptions, Cost

BEGIN: Final = "<!-- capacity.py begins -->"
END: Final = "<!-- capacity.py ends -->"


def assumed(changes: Sequence[str]) -> Assumptions:
    """Return the assumptions with what the command line says otherwise."""
    given = Assumptions()
    names = asdict(given)
    for change in changes:
        name, _, number = change.partition("=")
        if name not in names:
            raise SystemExit(f"--assume {change}: NAME=NUMBER, and a name of {', '.join(names)}")
        try:
            given = replace(given, **{name: float(number)})
        except ValueError as error:
            raise SystemExit(f"--assume {change}: {error}") from None
    return given


def save(path: Path, machine: str, found: Sequence[Cost]) -> None:
    """Keep costs, and what machine they are of."""
    costs = [asdict(each) for each in found]
    _write(path, json.dumps({"machine": machine, "costs": costs}))


def kept(paths: Iterable[Path]) -> tuple[str, list[Cost]]:
    """Return what was saved of one run or of several parts: the machines, and all costs."""
    machines: dict[str, None] = {}
    costs: list[Cost] = []
    for path in paths:
        try:
            read = json.loads(_text(path))
            machines[read["machine"].strip()] = None
            costs += [Cost(**cost) for cost in read["costs"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SystemExit(f"{path} is no file of costs that --save wrote.") from None
    return "\n".join(machines), costs


def around(page: Path) -> tuple[str, str]:
    """Return what stands before and behind the place of the tables in a page."""
    before, begin, rest = _text(page).partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has no place for the tables: the lines {BEGIN} and {END}.")
    return before, after


def put(page: Path, text: str) -> None:
    """Replace what stands between the marks of a page, in one step."""
    before, after = around(page)
    _write(page, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all: it may be the only copy of a long measurement."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, "utf-8")
    new.replace(path)
