from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.learned_tables import (
    learn_recommender,
    refresh_recommendations,
)
from feedback_platform.learning.online.array_file import ArrayFile
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.publication import (
    current_lists,
    local_lists,
    pointed_lists,
)
from feedback_platform.learning.online.records import Listed, SessionEvent
from feedback_platform.learning.online.writing import OnlineSettings
from feedback_platform.learning.training import RECOMMENDER
from feedback_platform_tests.learning.few_sources import FEW_SOURCES
from feedback_platform_tests.learning.online.world import (
    CHAINS,
    ITEMS,
    MADE_AT,
    RULES,
    SCORES,
    SHOWN,
    UNAVAILABLE,
    frames,
    listed,
    opened,
    second,
    trained,
)


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


def session(*events: tuple[str, str]) -> list[SessionEvent]:
    return [SessionEvent(kind, item, None, second(at)) for at, (kind, item) in enumerate(events, 1)]


def ids(listed: list[Listed]) -> list[str]:
    return [each.item_id for each in listed]


def test_more_than_the_published_places_go_on_behind_them(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    _, online = made
    for user in ("u003", "u050", "zoe", "nobody"):
        every = online.recommend(user, [], now=second(9), n=100)
        assert online.recommend(user, [], now=second(9), n=7) == every[:7]
        assert 20 < len(every) == len(set(ids(every)))


def test_what_was_dismissed_is_gone_and_what_it_brought_with_it(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    lists, online = made
    user = "u003"
    # The like behind most reasons is taken back.
    reasons = [str(reason) for *_, reason in rows(lists, user)]
    title = max(
        {reason.removeprefix("Because you liked ") for reason in reasons if "liked" in reason},
        key=lambda each: sum(each in reason for reason in reasons),
    )
    liked = online.catalogue.item_ids[online.catalogue.titles.index(title)]
    first = str(rows(lists, user)[0][0])
    after = online.recommend(
        user, session(("item_dismissed", first), ("item_dismissed", liked)), now=second(9)
    )
    assert first not in ids(after)
    assert f"Because you liked {title}" not in {each.reason for each in after}
    # No list follows what was dismissed.
    assert not any("a moment ago" in each.reason for each in after)


def test_what_the_lists_know_already_counts_once(made: tuple[pl.DataFrame, OnlineLists]) -> None:
    _, online = made
    person = online.people.find("u003")
    assert person is not None
    item = online.catalogue.item_ids[int(person.own[-1])]
    known = SessionEvent("item_clicked", item, None, float(person.own_seconds[-1]))
    late = SessionEvent("item_clicked", "i020", None, second(50))
    elsewhere = SessionEvent("item_clicked", "no such item", None, second(1))
    published = online.recommend("u003", [], now=second(9))
    assert online.recommend("u003", [known, late, elsewhere], now=second(9)) == published


def test_without_personalisation_everybody_gets_the_same_whatever_they_did(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    _, online = made
    plain = online.recommend("nobody", [], now=second(9), is_personal=False)
    assert {each.reason for each in plain} == {"Popular with everybody"}
    assert {each.propensity for each in plain} == {1.0}
    assert not any(each.is_exploration for each in plain)
    clicks = session(("item_dismissed", plain[0].item_id), ("item_clicked", plain[1].item_id))
    for user in ("u003", "zoe", "nobody"):
        assert online.recommend(user, clicks, now=second(9), is_personal=False) == plain
    found = online.explain("u003", clicks, plain[0].item_id, now=second(9), is_personal=False)
    assert found is not None
    assert {each.kind for each in found.reasons} <= {"popular", "trend"}


def test_propensities_are_those_of_the_order_of_the_moment(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    """The draw by hand: how often each user's place of an item comes up, and what is said of it."""
    _, online = made
    clicks = session(("item_clicked", "i020"))
    plain = replace(online, exploration=Exploration(0.0))
    share, places = online.exploration.share, online.exploration.places
    for user in ("u003", "u050", "nobody"):
        ranked = ids(plain.recommend(user, clicks, now=second(9), n=100))
        for place, each in enumerate(online.recommend(user, clicks, now=second(9))):
            rank = ranked.index(each.item_id)
            others = len(ranked) - 1
            if rank == place:
                moves = (rank < places) + (places - (rank < places)) / others
                assert each.propensity == pytest.approx(1 - share * moves)
            else:
                ways = (rank < places) + (place < places)
                assert each.propensity == pytest.approx(share * ways / others)
            assert each.is_exploration == (rank > place)


def test_an_explanation_says_what_speaks_for_an_item(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    _, online = made
    listed = online.recommend("u003", [], now=second(9))
    for position, each in enumerate(listed, 1):
        found = online.explain("u003", [], each.item_id, now=second(9))
        assert found is not None
        assert (found.is_listed, found.position) == (True, position)
        assert (found.title, found.score) == (each.title, each.score)
        likes = [reason for reason in found.reasons if reason.kind == "liked"]
        assert len(likes) <= 3
        assert all(0 < reason.weight <= 1 for reason in likes)
        if each.is_exploration:
            assert found.reasons[0].kind == "exploration"
            assert found.reasons[0].weight == each.propensity
        elif likes:
            assert each.reason == f"Because you liked {likes[0].title}"
    click = session(("item_clicked", "i020"))
    after = online.recommend("u003", click, now=second(9))
    led = next(each for each in after if "a moment ago" in each.reason)
    found = online.explain("u003", click, led.item_id, now=second(9))
    assert found is not None
    (reason,) = [reason for reason in found.reasons if reason.kind == "session"]
    assert (reason.item_id, reason.title) == ("i020", "Item 20")
    assert reason.text.startswith("You looked at Item 20 a moment ago")


def test_an_item_that_is_not_listed_can_be_explained_and_one_that_nobody_knows_cannot(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    _, online = made
    away = online.explain("u003", [], "i030", now=second(9))
    assert away is not None
    assert (away.is_listed, away.position, away.score) == (False, None, None)
    assert online.explain("u003", [], "no such item", now=second(9)) is None


def test_without_a_ranker_the_ensembles_order_is_folded_in_as_well(lake: Lake) -> None:
    # The same file, as a model without a ranker has it.
    _, online = listed(lake)
    plain = replace(online, folding=replace(online.folding, trees=None))
    before = plain.recommend("u003", [], now=second(9))
    assert before == online.recommend("u003", [], now=second(9))
    after = plain.recommend("u003", session(("item_clicked", "i020")), now=second(9))
    assert "Because you looked at Item 20 a moment ago" in {each.reason for each in after}


def test_a_version_beside_the_champion_has_a_file_of_the_lists_that_it_makes(
    lake: Lake,
    made: tuple[pl.DataFrame, OnlineLists],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, before = made
    shutil.copytree(str(lake.directory), tmp_path / "lake")
    lake = Lake((tmp_path / "lake").as_uri())
    newer = learn_recommender(
        lake,
        frames(CHAINS),
        now=MADE_AT + timedelta(hours=1),
        trigger="manual",
        sources=FEW_SOURCES[:1],
    ).version.version
    champions.promote(lake, RECOMMENDER, newer, at=MADE_AT, reason="for a test")

    table, champions_own = listed(lake, beside=[before.model_version, newer, "nosuch"])

    pointer = pointed_lists(lake)
    assert pointer is not None
    assert set(pointer.versions) == {before.model_version}
    assert champions_own.model_version == newer
    assert table["model_version"].unique().to_list() == [newer]
    beside = OnlineLists.open(local_lists(lake, pointer.versions[before.model_version], tmp_path))
    assert beside.model_version == before.model_version
    for user in ("u000", "u003", "u119", "zoe", "nobody"):
        assert beside.recommend(user, [], now=second(60)) == before.recommend(
            user, [], now=second(60)
        )
    assert "version nosuch" in caplog.text


def test_by_other_numbers_the_same_lists_explore_more_or_count_the_session_otherwise(
    made: tuple[pl.DataFrame, OnlineLists],
) -> None:
    _, online = made
    users = [f"u{number:03d}" for number in range(120)]

    def explored(lists: OnlineLists) -> int:
        return sum(
            any(each.is_exploration for each in lists.recommend(user, [], now=second(60)))
            for user in users
        )

    assert explored(online.with_numbers(exploration_share=0.0)) == 0
    assert explored(online.with_numbers()) == explored(online)
    click = [SessionEvent("item_clicked", "i020", None, second(5))]
    popular = online.with_numbers(cold_share=0.0, exploration_share=0.0)
    following = online.with_numbers(cold_share=1.0, exploration_share=0.0)
    by_popularity = [each.item_id for each in popular.recommend("nobody", [], now=second(9), n=5)]
    without = [item for item in by_popularity if item != "i020"]
    told = {"now": second(9), "n": 5}
    after = [each.item_id for each in popular.recommend("nobody", click, **told)]  # type: ignore[arg-type]
    assert after[: len(without)] == without
    led = [each.item_id for each in following.recommend("nobody", click, **told)]  # type: ignore[arg-type]
    assert led != after
    with pytest.raises(InvalidInputError):
        online.with_numbers(exploration_share=0.5)


@pytest.mark.parametrize("left", ["zoe", "max", "nobody"])
def test_when_nobody_is_left_whom_the_model_knows_everybody_gets_what_is_popular(
    lake: Lake, tmp_path: Path, left: str
) -> None:
    # The lake of this module keeps its lists.
    assert lake.directory is not None
    lake = Lake(Path(shutil.copytree(lake.directory, tmp_path / "lake")).as_uri())
    scores = SCORES.filter(pl.col("user_id") == left)
    settings = OnlineSettings(RULES, MADE_AT)
    lists = refresh_recommendations(lake, scores, ITEMS, UNAVAILABLE, shown=SHOWN, online=settings)
    online = opened(lake)
    assert online.folding.trees is not None
    found = online.recommend(left, [], now=second(9))
    assert {each.reason for each in found} == {"Popular with everybody"}
    if left != "nobody":
        assert shown(found) == rows(lists, left)


def test_nobody_is_listed_what_is_away_or_known(made: tuple[pl.DataFrame, OnlineLists]) -> None:
    _, online = made
    for user in ("u003", "u050", "zoe", "nobody"):
        person = online.people.find(user)
        seen = [] if person is None else person.seen.tolist()
        # What follows i029 most is away.
        clicks = session(("item_clicked", "i029"), ("item_liked", "i031"))
        after = ids(online.recommend(user, clicks, now=second(9), n=100))
        assert not {"i029", "i030", "i031"}.intersection(after)
        assert not {online.catalogue.item_ids[item] for item in seen}.intersection(after)


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_harmless(
    lake: Lake, made: tuple[pl.DataFrame, OnlineLists], data: st.DataObject
) -> None:
    assert made[1].model_version
    content = bytearray(lake.get(str(current_lists(lake))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    try:
        online = OnlineLists.of(ArrayFile.of(memoryview(content), "a.lists"))
    except InvalidInputError:
        return
    with np.errstate(all="ignore"):
        for user in ("u003", "zoe", "nobody"):
            online.recommend(user, session(("item_clicked", "i020")), now=second(9), n=100)
