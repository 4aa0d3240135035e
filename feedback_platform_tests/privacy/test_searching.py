from __future__ import annotations

import polars as pl
import pytest

from feedback_platform.privacy.searching import Search


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_name_is_found_however_a_stream_is_cut(size: int) -> None:
    text = "\x00\xfféx person-1y é person-20 person-3"
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    search = Search(["person-1", "person-2", "person-3"], ["person-20"], alone=False)

    assert search.in_stream(chunks) == {"person-1", "person-3"}
    assert search.in_stream([]) == frozenset()


def test_each_text_tells_what_it_holds_where_it_stands() -> None:
    search = Search(["a-1", "b-2"], ["x.a-1"], alone=True)

    found = list(search.in_texts(pl.Series(["none", "a-1 b-2", None, "x.a-1", "a-12", "ya-1"])))

    assert found == [(1, frozenset({"a-1", "b-2"}))]


def test_among_many_longer_names_each_hit_is_looked_up_and_not_compared_with_all() -> None:
    longer = [f"customer-1{number}" for number in range(11_110)]
    search = Search(["customer-1"], longer, alone=False)

    assert search.in_stream(["|".join(longer)]) == frozenset()
    assert search.in_stream(["|".join([*longer, "customer-1"])]) == {"customer-1"}
    # Each has as much before it, and one of so many lengths behind it.
    assert search.compared == 5


def test_nothing_is_found_where_nothing_is_looked_for() -> None:
    assert list(Search([], ["a"], alone=True).in_texts(pl.Series(["a"]))) == []
