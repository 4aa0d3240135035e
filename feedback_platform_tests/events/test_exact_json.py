from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.events.exact_json import has_long_number, read_exactly, write_exactly


@given(number=st.integers(-(2**127), 2**127 - 1), text=st.text(st.characters(codec="utf-8")))
def test_an_integer_of_any_length_comes_back(number: int, text: str) -> None:
    value = {"n": number, "in": [text, {"deep": -number - 1}], "f": 0.1}

    assert read_exactly(write_exactly(value)) == value


@pytest.mark.parametrize(
    ("number", "is_long"),
    [
        (2**64 - 1, True),  # It has as many digits as the next one, which does not fit.
        (2**64, True),
        (-(2**63) - 1, True),
        (10**19 - 1, False),
        (-(10**18) + 1, False),
    ],
)
def test_what_fits_into_64_bits_by_its_digits_is_not_looked_at(
    number: int, *, is_long: bool
) -> None:
    assert has_long_number(b'{"id":%d}' % number) is is_long
    assert read_exactly(b"%d" % number) == number


def test_what_nobody_could_read_is_text() -> None:
    assert write_exactly([2**127, "a", 2**64]) == b'["%d","a",%d]' % (2**127, 2**64)


@pytest.mark.parametrize("text", [b"1e400", b"NaN", b"9" * 400, b'"\\ud800%s"' % (b"9" * 20)])
def test_it_is_as_strict_as_the_fast_parser(text: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        read_exactly(text)


@pytest.mark.parametrize("long_at", [0, 1])
@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_a_long_integer_does_not_change_how_deep_a_value_may_be(opened: str, long_at: int) -> None:
    def nested(levels: int, number: int) -> list[Any]:
        closed = "]" if opened == "[" else "}"
        value = [json.loads(opened * (levels - 2) + "[]" + closed * (levels - 2))]
        value.insert(long_at, number)
        return value

    assert write_exactly(nested(254, 1)) == orjson.dumps(nested(254, 1))
    assert read_exactly(write_exactly(nested(254, 2**70))) == nested(254, 2**70)
    for number in (1, 2**70):
        with pytest.raises(orjson.JSONEncodeError):
            write_exactly(nested(255, number))


def test_nesting_that_only_the_fast_parser_follows_is_read_and_not_written() -> None:
    value = read_exactly(b"[" * 1000 + b"9" * 30 + b"]" * 1000)

    with pytest.raises(orjson.JSONEncodeError):
        write_exactly(value)
    with pytest.raises(orjson.JSONEncodeError):
        write_exactly([2**70, value])
