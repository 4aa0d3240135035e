from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from feedback_platform.learning.arrays import pack
from feedback_platform.learning.online.array_file import as_arrays, write_arrays
from feedback_platform.privacy.traces import NOTHING, Found, Traces, is_distinct

TRACE, MENTION = Found(traces=1), Found(mentions=1)


def found(text: str, *ids: str, longer: tuple[str, ...] = ()) -> bool:
    return Traces(ids, longer).in_content(text.encode()) == TRACE


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize("name", ["42", "1042", "mobile", "user-17", "123456789", "add_to_cart"])
def test_short_ids_words_and_numbers_are_not_looked_for_byte_by_byte(name: str) -> None:
    traces = Traces([name])

    assert not is_distinct(name)
    assert traces.indistinct == 1
    assert traces.in_content(f"at 10:{name}:00, {name}".encode()) == NOTHING
    assert traces.in_noise([f"..{name}..".encode()]) == NOTHING


def test_a_short_id_is_found_where_a_field_holds_ids() -> None:
    traces = Traces(["42"])

    assert traces.in_lines(line(user_id="42")) == TRACE
    assert traces.in_lines(b'{"message":{"userId": 42}}') == TRACE
    assert traces.in_lines(line(user_id="420", value=42, platform="42")) == NOTHING
    users = pl.DataFrame({"user_id": ["42", "anonymous:42", "420"], "item_id": ["42", "x", "y"]})
    assert traces.in_frame(users) == Found(traces=2)
    texts = {"user_ids": ["42"], "item_ids": ["42"]}
    assert traces.in_arrays(pack({"w": np.zeros(3, np.float32)}, texts)) == TRACE


def test_an_id_is_found_in_a_file_of_lists(tmp_path: Path) -> None:
    def lists(users: list[str], titles: list[str]) -> bytes:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.lists"
        texts = {**as_arrays("user_ids", users), **as_arrays("titles", titles)}
        write_arrays(path, {}, {**texts, "weights": np.zeros(3)})
        return path.read_bytes()

    traces = Traces(["42", "person-1"])

    assert traces.in_lists(lists(["42", "420"], ["42"])) == TRACE
    assert traces.in_lists(lists(["bob", "person-1"], [])) == TRACE
    # One behind the other, as they lie in the file.
    assert traces.in_lists(lists(["bob"], ["x", "person-1", "x"])) == TRACE
    assert traces.in_lists(lists(["bob", "person-12"], ["x", "42"])) == NOTHING


def test_a_line_of_somebody_else_only_mentions_them() -> None:
    traces = Traces(["person-1", "42"])

    for friend in ("person-1", "42"):
        properties = {"userId": friend, "friend": friend}
        assert traces.in_lines(line(user_id="bob", properties=properties)) == MENTION
    assert traces.in_lines(line(anonymous_id="phone", text="person-1")) == MENTION
    assert traces.in_lines(line(text="person-1")) == TRACE


def test_what_others_mention_is_counted_wherever_it_is_and_no_trace() -> None:
    traces = Traces(["person-1", "person-2"], mentioned=["person-1"])

    for content, expected in ((b"x person-1 ", MENTION), (b"person-1 person-2", TRACE)):
        assert traces.in_content(content) == expected
        assert traces.in_noise([content]) == expected
    assert traces.in_frame(pl.DataFrame({"properties": ["person-1"]})) == MENTION


def test_in_what_people_wrote_an_id_is_found_whole_or_distinct() -> None:
    written = line(conditions={"user": ["42", "420"]}, reason="as person-1 asked", at=42)

    assert Traces(["42", "person-1", "420000"]).in_writing(written) == {"42", "person-1"}


def test_an_id_counts_where_it_stands_alone() -> None:
    assert found('{"user_id":"lovelace1"}', "lovelace1")
    assert found("visit:lovelace1@2026-03-01", "lovelace1")
    assert not found("xlovelace1 lovelace12 lovelace1é", "lovelace1")


def test_part_of_an_id_that_stays_is_no_trace() -> None:
    assert found("person-1-b person-1", "person-1", longer=("person-1-b",))
    assert not found("person-1-b", "person-1", longer=("person-1-b",))
    assert found("person-100", "person-1", "person-100", longer=("person-10",))


def test_an_id_is_found_as_json_writes_it() -> None:
    assert found(r'{"user_id":"\u00e9milie-1"}', "émilie-1")
    assert found('{"user_id":"émilie-1"}', "émilie-1")
    assert found(r'{"user_id":"a1\/bcdef\"c"}', 'a1/bcdef"c')


def test_an_id_is_found_in_bytes_that_a_line_carries() -> None:
    carried = base64.b64encode(b"\x0a\x08person-1\x12").decode()

    content = f'{{"format":"opaque","bytes":"{carried}"}}'.encode()
    assert Traces(["person-1"]).in_lines(content) == TRACE


def test_an_id_is_found_in_every_kind_of_column() -> None:
    for column in (
        pl.Series(["x", "person-1"]),
        pl.Series([b"{broken person-1"]),
        pl.Series([[{"name": "person-1"}]]),
        pl.Series([{"a": {"b": "person-1"}}]),
    ):
        buffer = io.BytesIO()
        column.alias("c").to_frame().write_parquet(buffer)

        assert Traces(["person-1"]).in_parquet(buffer.getvalue()) == TRACE
        assert Traces(["person-2"]).in_parquet(buffer.getvalue()) == NOTHING


def test_an_id_is_found_among_texts_that_touch_and_in_archives_inside_archives() -> None:
    inner = pack({"w": np.zeros(3, np.float32)}, {"user_ids": ["per", "person-1", "son-2"]})
    outer = pack({"member": np.frombuffer(inner, np.uint8)}, {"names": ["x"]})

    assert Traces(["person-1"]).in_arrays(outer) == TRACE
    assert Traces(["person-1son"]).in_arrays(outer) == NOTHING
