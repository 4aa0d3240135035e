from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.ingestion.collector.documents import (
    decoded,
    digest_of,
    elements,
    is_too_deep,
    members,
    written,
)
from feedback_platform.ingestion.collector.limits import MAX_BATCH_EVENTS, MAX_DEPTH
from feedback_platform.ingestion.collector.refusals import RequestRefusedError

# What any JSON writer may write, halves of surrogate pairs and NaN included.
LOOSE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]) | st.sampled_from('\\"{}[],: ')),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def same(left: Any, right: Any) -> bool:
    # NaN equals nothing, but is written alike.
    return json.dumps(left) == json.dumps(right)


def has_each_member_once(text: bytes) -> bool:
    pairs: list[list[tuple[str, Any]]] = []
    json.loads(text, object_pairs_hook=pairs.append)
    # The outermost object is complete last.
    names = [name for name, _ in pairs[-1]]
    return len(names) == len(set(names))


@given(st.lists(LOOSE, max_size=6), st.sampled_from([(",", ":"), (" ,\n", " :\t ")]))
def test_an_array_falls_into_its_elements(values: list[Any], separators: tuple[str, str]) -> None:
    text = json.dumps(values, separators=separators).encode()
    assert same([json.loads(element) for element in elements(text)], values)


@given(values=st.dictionaries(st.text(max_size=8), LOOSE, max_size=6), ascii_only=st.booleans())
def test_an_object_falls_into_its_members(values: dict[str, Any], *, ascii_only: bool) -> None:
    text = json.dumps(values, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    found = {
        name: json.loads(part.decode("utf-8", "surrogatepass"))
        for name, part in members(text).items()
    }
    assert same(found, values)


@given(st.binary(max_size=200) | st.text(st.sampled_from('[]{},:"\\ 1a')).map(str.encode))
def test_what_is_neither_is_told_apart(text: bytes) -> None:
    for take_apart in (elements, members):
        try:
            take_apart(text)
        except (ValueError, RequestRefusedError):
            continue
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return
    if isinstance(value, list):
        assert [orjson.loads(element) for element in elements(text)] == value
    if isinstance(value, dict) and has_each_member_once(text):
        assert {name: orjson.loads(part) for name, part in members(text).items()} == value


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b'"' + b'\\"' * 250_000 + b"]",
        b"[" + b'"\\' * 170_000 + b"]",
        b"[" + b"[" * 500_000 + b"]",
        b"[" + b'"' * 500_001 + b"]",
    ],
)
def test_taking_apart_costs_one_pass_whatever_it_is(text: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=r"brackets|neither"):
        elements(text)
    # Looking at each quote again from the start would take minutes.
    assert time.process_time() - began < 5


@pytest.mark.parametrize("text", [b'{"batch":[1],"batch":[]}', b'{"a":1, "b":2 , "\\u0061":3}'])
def test_a_member_that_stands_twice_is_refused(text: bytes) -> None:
    with pytest.raises(RequestRefusedError, match="twice"):
        members(text)


def test_nobody_looks_behind_one_more_than_the_most() -> None:
    most = b",".join([b"1"] * MAX_BATCH_EVENTS)
    assert len(elements(b"[" + most + b"]")) == MAX_BATCH_EVENTS
    for more in (b",1]", b",1" * 200_000 + b"]", b",1,}}}]"):
        assert len(elements(b"[" + most + more)) == MAX_BATCH_EVENTS + 1
    many = b",".join(b'"%d":1' % number for number in range(MAX_BATCH_EVENTS + 1))
    with pytest.raises(RequestRefusedError, match="2,500"):
        members(b"{" + many + b"}")


def test_bytes_have_an_id_of_their_own() -> None:
    # By `printf a | b2sum --length 64`.
    assert digest_of(b"a") == "40f89e395b66422f"
    assert digest_of(b"a") != digest_of(b"b")


def test_a_document_may_be_as_deep_as_is_said_and_no_deeper() -> None:
    assert written(nested(MAX_DEPTH)) == orjson.dumps(nested(MAX_DEPTH))
    assert not is_too_deep(nested(MAX_DEPTH), written(nested(MAX_DEPTH)))
    with pytest.raises(TypeError):
        written(nested(MAX_DEPTH + 1))
    assert is_too_deep(nested(MAX_DEPTH + 1), orjson.dumps(nested(MAX_DEPTH + 1)))


@pytest.mark.parametrize("long_at", [0, 1])
def test_a_long_integer_lets_a_document_be_no_deeper(long_at: int) -> None:
    for depth, expected in ((MAX_DEPTH, False), (MAX_DEPTH + 1, True)):
        message = [nested(depth - 1)]
        message.insert(long_at, 2**70)
        text = json.dumps(message).encode()
        assert decoded(text) == message
        assert is_too_deep(message, text) is expected


def test_a_wide_document_is_not_deep() -> None:
    wide: list[list[int]] = [[] for _ in range(1000)]
    assert not is_too_deep(wide, orjson.dumps(wide))


def test_a_refusal_says_where_it_stops_to_be_json_but_repeats_nothing() -> None:
    with pytest.raises(RequestRefusedError, match="character 11") as refused:
        decoded(b'{"secret": secret}')
    assert "secret" not in str(refused.value)
