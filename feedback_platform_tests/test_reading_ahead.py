from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from feedback_platform.reading_ahead import read_ahead

SOON = 10


def test_items_come_in_their_order() -> None:
    assert list(read_ahead(iter([3, None, 1]))) == [3, None, 1]
    assert list(read_ahead(iter([]))) == []


def test_the_next_item_is_made_while_one_is_in_use_and_no_other() -> None:
    made = [Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    ahead = read_ahead(items())

    assert next(ahead) == 0
    assert made[1].wait(SOON)
    assert next(ahead) == 1
    assert made[2].wait(SOON)
    ahead.close()
    assert not made[3].is_set()


def test_an_error_is_raised_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    ahead = read_ahead(items())

    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)
