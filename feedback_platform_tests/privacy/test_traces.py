from __future__ import annotations

import base64
import io

import numpy as np
import polars as pl

from feedback_platform.learning.arrays import pack
from feedback_platform.privacy.traces import Traces


def found(text: str, *ids: str, longer: tuple[str, ...] = ()) -> bool:
    return bool(Traces(ids, longer).in_lines(text.encode()))


def test_an_id_counts_where_it_stands_alone() -> None:
    assert found('{"user_id":"ada"}', "ada")
    assert found("visit:ada@2026-03-01", "ada")
    assert not found("canada adapts", "ada")


def test_part_of_an_id_that_stays_is_no_trace() -> None:
    assert found("user-1-b user-1", "user-1", longer=("user-1-b",))
    assert not found("user-1-b", "user-1", longer=("user-1-b",))


def test_an_id_is_found_as_json_writes_it() -> None:
    assert found(r'{"user_id":"\u00e9mile"}', "émile")
    assert found('{"user_id":"émile"}', "émile")
    assert found(r'{"user_id":"a\/b\"c"}', 'a/b"c')


def test_an_id_is_found_in_bytes_that_a_line_carries() -> None:
    carried = base64.b64encode(b"\x0a\x06person\x12").decode()

    assert found(f'{{"format":"opaque","bytes":"{carried}"}}', "person")


def test_an_id_is_found_in_every_kind_of_column() -> None:
    for column in (
        pl.Series(["x", "person-1"]),
        pl.Series([b"{broken person-1"]),
        pl.Series([[{"name": "person-1"}]]),
        pl.Series([{"a": {"b": "person-1"}}]),
    ):
        buffer = io.BytesIO()
        column.alias("c").to_frame().write_parquet(buffer)

        assert Traces(["person-1"]).in_parquet(buffer.getvalue()) == 1
        assert Traces(["person-2"]).in_parquet(buffer.getvalue()) == 0


def test_an_id_is_found_among_texts_that_touch_and_in_archives_inside_archives() -> None:
    inner = pack({"w": np.zeros(3, np.float32)}, {"user_ids": ["per", "person-1", "son-2"]})
    outer = pack({"member": np.frombuffer(inner, np.uint8)}, {"names": ["x"]})

    assert Traces(["person-1"]).in_arrays(outer) == 1
    assert Traces(["per-son"]).in_arrays(outer) == 0


def test_in_noise_an_id_is_found_across_chunks_and_beside_others() -> None:
    traces = Traces(["person-1"], ["person-10"])

    assert traces.in_noise([b"\x00\xffxper", b"son-1y"]) == 1
    assert traces.in_noise([b"xperson-10y"]) == 0


def test_short_ids_are_not_looked_for_in_noise() -> None:
    traces = Traces(["ada", "person-1"])

    assert traces.too_short == 1
    assert traces.in_noise([b"..ada.."]) == 0
