"""Reading the next batch while this one is cleaned and stored."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield what an iterator yields; a thread has it make the next item while one is in use.

    So two of them are in memory, and never more. What goes wrong with an item is raised where it
    would have been yielded: those before it have been used by then.
    """
    nothing = object()
    with ThreadPoolExecutor(1, "reading-ahead") as reader:
        upcoming = reader.submit(next, items, nothing)
        while (item := upcoming.result()) is not nothing:
            upcoming = reader.submit(next, items, nothing)
            yield item  # type: ignore[misc]
