"""Making the next of some items while one is in use: reading while a batch is cleaned, for one."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yield what an iterator yields; a thread has it make the next item while one is in use.

    So two of them are in memory, and never more. What goes wrong with an item is raised where it
    would have been yielded: those before it have been used by then.
    """
    with ThreadPoolExecutor(1, "reading-ahead") as reader:
        upcoming = reader.submit(_following, items)
        while (found := upcoming.result()) is not None:
            upcoming = reader.submit(_following, items)
            yield found[0]


def _following(items: Iterator[Item]) -> tuple[Item] | None:
    """Return the next item, in a tuple since it may be None; None behind the last."""
    for item in items:
        return (item,)
    return None
