from __future__ import annotations

import polars as pl
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.records import Listed, SessionEvent
from feedback_platform_tests.learning.online.world import listed, second, trained


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("online").as_uri())
    trained(lake)
    return lake


@pytest.fixture(scope="module")
def made(lake: Lake) -> tuple[pl.DataFrame, OnlineLists]:
    return listed(lake)


def rows(lists: pl.DataFrame, user: str) -> list[tuple[object, ...]]:
    return lists.filter(pl.col("user_id") == user).select(
        "item_id", "score", "propensity", "reason"
    ).rows()  # fmt: skip


def shown(listed: list[Listed]) -> list[tuple[object, ...]]:
    return [(each.item_id, each.score, each.propensity, each.reason) for each in listed]


def test_without_a_session_everybody_gets_exactly_the_published_list(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    lists, online = made
    users = lists["user_id"].unique().sort().to_list()
    assert len(users) == 122
    for user in users:
        assert shown(online.recommend(user, [], now=second(60))) == rows(lists, user)
    assert lists["reason"].str.starts_with("Shown to find out").any()
    assert lists["reason"].str.starts_with("Because you liked").any()
    assert lists["reason"].str.starts_with("Popular").any()


def test_a_click_changes_the_next_list_and_the_list_says_why(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    _, online = made
    assert online.folding.trees is not None
    for user in ("u003", "zoe", "nobody"):
        before = online.recommend(user, [], now=second(60))
        clicked = before[3].item_id
        click = SessionEvent("item_clicked", clicked, None, second(30))
        after = online.recommend(user, [click], now=second(60))
        assert clicked not in {each.item_id for each in after}
        assert [each.item_id for each in after] != [
            each.item_id for each in before if each.item_id != clicked
        ]
        reason = f"Because you looked at {before[3].title} a moment ago"
        assert reason in {each.reason for each in after}
