from __future__ import annotations

import pytest

from feedback_platform.dashboard.cache import SnapshotCache


def test_a_question_is_answered_once_for_each_publication() -> None:
    cache = SnapshotCache()
    asked: list[str] = []

    def compute() -> str:
        asked.append("asked")
        return f"answer {len(asked)}"

    assert [cache.get(1, "question", compute) for _ in range(3)] == ["answer 1"] * 3
    assert cache.get(1, "another", compute) == "answer 2"
    assert cache.get(2, "question", compute) == "answer 3"


def test_another_publication_lets_go_of_all_that_came_before() -> None:
    cache = SnapshotCache()
    for key in range(5):
        cache.get("old", key, lambda: "kept")

    cache.get("new", 0, lambda: "kept")

    assert len(cache) == 1


def test_what_was_not_asked_for_long_goes_first() -> None:
    cache = SnapshotCache(most=2)
    for key in ("a", "b", "a", "c"):
        cache.get(1, key, lambda: "first")

    assert cache.get(1, "a", lambda: "again") == "first"
    assert cache.get(1, "b", lambda: "again") == "again"


def test_what_failed_is_asked_again() -> None:
    cache = SnapshotCache()

    def fail() -> str:
        raise LookupError("not there")

    with pytest.raises(LookupError):
        cache.get(1, "question", fail)

    assert cache.get(1, "question", lambda: "found") == "found"
