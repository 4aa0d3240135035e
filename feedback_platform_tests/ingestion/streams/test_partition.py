from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.ingestion.streams.partition import slug
from feedback_platform_tests.ingestion.streams.world import PARTITION


@pytest.mark.parametrize("name", ["events", "user-events-2"])
def test_a_name_that_is_a_slug_stays_as_it_is(name: str) -> None:
    assert slug(name) == name


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("User.Events", "user-events-"),
        ("a--b", "a-b-"),
        ("_x_", "x-"),
        ("...", ""),
        ("a" * 249, "a" * 60),
    ],
)
def test_another_name_gets_a_hash(name: str, beginning: str) -> None:
    assert slug(name).startswith(beginning)
    assert re.fullmatch(r"([a-z0-9]+-)*[0-9a-f]{8}", slug(name))


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_names_have_different_slugs(left: str, right: str) -> None:
    assert (slug(left) == slug(right)) == (left == right)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(left))


def test_names_sort_like_positions() -> None:
    assert sorted(PARTITION.written(n) for n in (10, 9, 100)) == [f"{n:020d}" for n in (9, 10, 100)]


def test_an_event_without_an_id_is_named_by_topic_partition_offset_and_incarnation() -> None:
    assert PARTITION.fallback_id(17) == "events-3-17-0a1b2c3d"
