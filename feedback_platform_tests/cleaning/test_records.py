from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedback_platform.cleaning.records import Records, one_record_a_line


def records(content: bytes) -> list[bytes]:
    return [line for line in one_record_a_line(content).split(b"\n") if line.strip()]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a":1}\n{"a":2}\n', [b'{"a":1}', b'{"a":2}']),
        (b'{"a":1}{"a":2}', [b'{"a":1}', b'{"a":2}']),
        (b'{"a":1} \t{"a":2}\r\n{"a":3}', [b'{"a":1}', b' \t{"a":2}', b"\r", b'{"a":3}']),
        (b'{"a":{"b":{}}}{"a":2}', [b'{"a":{"b":{}}}', b'{"a":2}']),
        (b'{"a":"}{"}{"a":"\\"}{"}', [b'{"a":"}{"}', b'{"a":"\\"}{"}']),
        (b'{"a":"}{"}', [b'{"a":"}{"}']),
        (b'{"a":1}rubbish{"a":2}{"a":3}', [b'{"a":1}', b'rubbish{"a":2}', b'{"a":3}']),
        (b'{"a":1}{"a":[{"a":3}{"a":4}', [b'{"a":1}', b'{"a":[{"a":3}', b'{"a":4}']),
        (b'{"a":"cut{"a":2}{"a":3}', [b'{"a":"cut{"a":2}', b'{"a":3}']),
        (b'{"a":\n1}\n{"a":2}', [b'{"a": 1}', b'{"a":2}']),
        (b'{\n "a": [\n  {"b": 1}\n ]\n}\n', [b'{  "a": [   {"b": 1}  ] }']),
        (b'{\n"a": 1\n}{\n"a": 2\n} {"a":3}', [b'{ "a": 1 }', b'{ "a": 2 } ', b'{"a":3}']),
        (b'{\r\n "a": 1\r\n}\r\n{"a":2}\r\n', [b'{\r  "a": 1\r }', b'{"a":2}']),
        (
            b'{\n "a": [{"b":1},\n  {"b":2}, x]\n}\n{"a":2}',
            [b'{  "a": [{"b":1},   {"b":2}, x] }', b'{"a":2}'],
        ),
        (b'{\n "a": x\n}{\n "a": 2\n}', [b'{  "a": x }', b'{  "a": 2 }']),
        (b'{"a": {"b":1\n{"a":2}\n{\n"a":3}', [b'{"a": {"b":1', b'{"a":2}', b'{ "a":3}']),
        (b'{"a": "cut\n{"a":2}', [b'{"a": "cut', b'{"a":2}']),
        (b'{"a": 1,\n{"a":2}', [b'{"a": 1,', b'{"a":2}']),
        (b'no json\n  nor this\n{"a":1}', [b"no json", b"  nor this", b'{"a":1}']),
        (b"", []),
        (b"}{", [b"}{"]),
    ],
)
def test_records_are_told_apart(content: bytes, expected: list[bytes]) -> None:
    assert [r.strip() for r in records(content)] == [e.strip() for e in expected if e.strip()]


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | st.sampled_from(["}{", '"', "\\", "{", "}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(max_size=4), JSON, max_size=3),
            st.sampled_from(["", "\n", " ", "\t", "\r\n"]),
        )
    )
)
def test_what_was_joined_comes_apart_again(sent: list[tuple[dict[str, Any], str]]) -> None:
    content = "".join(json.dumps(record) + separator for record, separator in sent)

    assert [json.loads(line) for line in records(content.encode())] == [r for r, _ in sent]


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(max_size=4), JSON, max_size=3),
            st.sampled_from([None, 0, 2, "\t"]),
            st.sampled_from(["", "\n", "\r\n", "\n\n"]),
        )
    )
)
def test_records_of_several_lines_are_one_line_each(
    sent: list[tuple[dict[str, Any], Any, str]],
) -> None:
    content = "".join(json.dumps(record, indent=indent) + end for record, indent, end in sent)

    assert [json.loads(line) for line in records(content.encode())] == [r for r, _, _ in sent]


@given(
    record=st.dictionaries(st.text(max_size=4), JSON, max_size=3),
    cut=st.integers(1, 40),
    indent=st.sampled_from([None, 2]),
    rubbish=st.sampled_from(["", "GET / HTTP/1.1\n", "\x00\n"]),
)
def test_a_record_that_was_cut_does_not_cost_those_around_it(
    record: dict[str, Any], cut: int, indent: int | None, rubbish: str
) -> None:
    whole = json.dumps({"before": 1, **record}, indent=indent)
    neighbour = json.dumps({"neighbour": record}, indent=indent)

    content = f"{neighbour}\n{whole[:-cut]}\n{rubbish}{neighbour}\n{neighbour}"

    lines = records(content.encode())
    good = [line for line in lines if b"neighbour" in line]
    assert [json.loads(line) for line in good] == [{"neighbour": record}] * 3


@given(st.binary(max_size=60) | st.text('{}"\\ a:,', max_size=60).map(str.encode))
def test_no_byte_is_lost(content: bytes) -> None:
    kept = one_record_a_line(content)

    blanks = b" \t\r\n"
    assert kept.translate(None, blanks) == content.translate(None, blanks)
    assert one_record_a_line(content) == kept


GOOD = b'\n{"event_id":"e","event_type":"item_viewed"}' * 3


@pytest.mark.parametrize(
    "hostile",
    [
        b'"\\' * 200_000,
        b"{" * 400_000,
        b"}{" * 200_000,
        b"{\n" * 100_000,
        b'{"a":\n' * 100_000,
        b'{"a":[\n' * 100_000 + b"]}\n" * 100_000,
        b'{"a": 1,\n' + b' "b": {"c": 1},\n' * 50_000,
        b'}{"' * 100_000,
        b'"log":"' + rb"{\"a\":1}" * 40_000 + GOOD,
        b'"log":"' + rb"{\"a\":\"b\"}{" * 30_000 + GOOD,
        b'"log":"' + rb"{\"a\":{\"b\":\"c d\"}} {\"x\":2}" * 10_000,
        b"\\" + b'\\""\n"}{"{"a":1}' * 25_000,
        b'"}{"\\""' * 50_000 + b"{",
        b'\\"}{' * 80_000,
        b'}{",":",' * 50_000,
        b'{\\"}{"a":1}' * 30_000,
        b'x}{"a":1}' * 100_000,
        b'x}{"a":"cut' * 40_000,
    ],
    ids=range(18),
)
def test_a_hostile_line_takes_no_longer_than_its_length(hostile: bytes) -> None:
    started = time.process_time()

    one_record_a_line(b"{}{" + hostile)

    assert time.process_time() - started < 5


SIGNS = [b"{", b"}", b"[", b'"', b"\\", b",", b":", b" ", b"\n", b"a", b"1"]
PAIRS = [b"}{", b'"}{"', b'{"a":', b'{"a":1}', b'\\"', b"\n{", b'"\n', b'","', b'":"']
TOKENS = st.sampled_from(SIGNS + PAIRS)


@settings(max_examples=300)
@given(
    before=st.lists(TOKENS, max_size=3).map(b"".join),
    repeated=st.lists(TOKENS, min_size=1, max_size=6).map(b"".join),
    after=st.lists(TOKENS, max_size=2).map(b"".join),
)
@example(before=b"\\", repeated=b'\\""\n"}{"{"a":1}', after=b"")
@example(before=b"", repeated=b'{\\"}{"a":1}', after=b"")
@example(before=b"", repeated=b'"}{"\\""', after=b"{")
@example(before=b'{"a":[\n', repeated=b'{"a":[\n', after=b"")
def test_what_is_read_in_vain_follows_the_length(
    before: bytes, repeated: bytes, after: bytes
) -> None:
    content = before + repeated * 200 + after
    found = Records(content)

    assert b"".join(found).count(b"\n") == 0
    # Eight times and the last time for broken objects, twice for records.
    assert found.read_in_vain <= 12 * len(content)


@pytest.mark.parametrize("separator", [b"", b"\n"])
def test_the_good_records_behind_hostile_ones_stay(separator: bytes) -> None:
    good = [b'{"event_id":"e%d","text":"of an event"}' % number for number in range(2000)]
    hostile = b'{"' + b'}{",":",' * 500

    kept = records(separator.join([good[0], hostile, *good]))

    assert set(good) <= set(kept)
