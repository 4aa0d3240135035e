from __future__ import annotations

import pytest

from feedback_platform.serving.recommendation_requests import (
    PREFIX,
    RecommendationRefusal,
    Target,
    Wanted,
    placement_of,
    target_of,
    wanted_of,
)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("ada", Target("ada", None)),
        ("anonymous:phone", Target("anonymous:phone", None)),
        ("anonymous%3Aphone", Target("anonymous:phone", None)),
        ("a%2Fb%20%C3%BC%2B+", Target("a/b ü++", None)),
        ("explanations", Target("explanations", None)),
        ("ada/explanations/item%2F1", Target("ada", "item/1")),
    ],
)
def test_a_path_names_a_user_and_perhaps_an_item(path: str, target: Target) -> None:
    assert target_of(PREFIX.encode() + path.encode()) == target


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 400),
        ("anonymous:", 400),
        ("%FF", 400),
        ("a%00b", 400),
        ("u" * 1001, 400),
        ("ada/explanations/", 400),
        ("/explanations/a", 400),
        ("ada/", 404),
        ("ada/explanations", 404),
        ("ada/other/a", 404),
        ("ada/explanations/a/b", 404),
    ],
)
def test_any_other_path_is_refused(path: str, status: int) -> None:
    with pytest.raises(RecommendationRefusal) as refused:
        target_of(PREFIX.encode() + path.encode())
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (b"", Wanted(20, "home", is_logged=True)),
        (b"limit=1", Wanted(1, "home", is_logged=True)),
        (b"limit=100&placement=e-mail_2.b%3A1", Wanted(100, "e-mail_2.b:1", is_logged=True)),
        (b"log=false", Wanted(20, "home", is_logged=False)),
        (b"log=true&limit=7&placement=Top", Wanted(7, "Top", is_logged=True)),
    ],
)
def test_a_query_says_how_many_where_and_whether_to_note_it(query: bytes, wanted: Wanted) -> None:
    assert wanted_of(query) == wanted


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (b"limit=0", "limit is '0'; it may be 1 to 100."),
        (b"limit=101", "limit is '101'; it may be 1 to 100."),
        (b"limit=-1", "limit is '-1'; it may be 1 to 100."),
        (b"limit=1.5", "limit is '1.5'; it may be 1 to 100."),
        (b"limit=01", "limit is '01'; it may be 1 to 100."),
        (b"limit=", "limit is ''; it may be 1 to 100."),
        (b"limit=%D9%A3", "limit is '٣'; it may be 1 to 100."),
        (b"placement=", "placement is ''; it may be 1 to 64 letters"),
        (b"placement=-a", "placement is '-a'; it may be 1 to 64 letters"),
        (b"placement=a%20b", "placement is 'a b'; it may be 1 to 64 letters"),
        (b"placement=" + b"p" * 65, "it may be 1 to 64 letters"),
        (b"log=1", "log is '1'; it may be true or false."),
        (b"limits=3", "There is no parameter 'limits'; it takes limit, placement, log."),
        (b"limit=3&limit=3", "limit is given twice."),
        (b"a=1&" * 11, "The query cannot be read."),
        (b"placement=%FF", "The query cannot be read."),
        (b"placement=\xff", "The query cannot be read."),
    ],
)
def test_what_a_query_may_not_say_is_named(query: bytes, text: str) -> None:
    with pytest.raises(RecommendationRefusal) as refused:
        wanted_of(query)
    assert refused.value.status == 400
    assert text in str(refused.value)


def test_an_explanation_speaks_of_a_placement_and_takes_nothing_else() -> None:
    assert placement_of(b"") == "home"
    assert placement_of(b"placement=side.bar") == "side.bar"
    with pytest.raises(RecommendationRefusal, match="no parameter 'limit'; it takes placement"):
        placement_of(b"limit=3")
    with pytest.raises(RecommendationRefusal, match="placement is '-'"):
        placement_of(b"placement=-")
