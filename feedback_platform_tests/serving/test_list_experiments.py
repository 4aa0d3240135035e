"""Lists that experiments vary: by ranking policy, number and model, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.adjustment.flags.context import Facts
from feedback_platform.adjustment.flags.definition import Condition
from feedback_platform.experiments.definition import HoldOut, Lever
from feedback_platform.experiments.entries import STOPPED, Started, Stopped
from feedback_platform.experiments.running import RunningExperiments
from feedback_platform.lake.store import Lake
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.publication import publish_lists
from feedback_platform.privacy.preferences import Preferences
from feedback_platform.serving.varied_lists import VariedLists
from feedback_platform_tests.serving.made_up_lists import publish_made_up_lists, write_made_up_lists
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.running_experiments import (
    ADA,
    begin,
    end,
    exposures,
    lake_of,
    of_lists,
    users_of,
    variant_of,
)
from feedback_platform_tests.serving.users import put
from feedback_platform_tests.waiting import until

POLICY = of_lists(Lever.RANKING_POLICY, "home", "personalised", "popular")
SHARE = of_lists(Lever.THRESHOLD, "exploration_share", 0.0, 0.1)
MODEL = of_lists(Lever.MODEL, "recommender", "champion", "challenger")
USERS = [f"user-{number}" for number in range(60)]
POPULAR = [f"item-{number}" for number in range(5)]
EVERYTHING = Preferences()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server in which an experiment over the policy of a placement runs."""
    data_dir = tmp_path_factory.mktemp("server") / "data"
    lake = Lake((data_dir / "lake").as_uri())
    publish_made_up_lists(lake, USERS)
    publish_users(data_dir / "published" / "feedback.duckdb", opted_out=["user-off"])
    begin(lake, POLICY)
    with running_server(data_dir) as running:
        until(lambda: ask(running, "user-0", "?log=false")["is_personalised"] is not None)
        until(lambda: any(ask(running, user, "?log=false")["experiments"] for user in USERS))
        yield running


def ask(server: RunningServer, user: str, query: str = "") -> dict[str, Any]:
    answer = server.ask("GET", f"/v1/recommendations/{user}{query}")
    assert answer.status == 200, answer
    content: dict[str, Any] = answer.content
    return content


def items(content: dict[str, Any]) -> list[str]:
    return [each["item_id"] for each in content["items"]]


def test_a_policy_is_that_of_the_users_variant_at_its_placement(server: RunningServer) -> None:
    arms = users_of(POLICY)
    for variant, users in arms.items():
        for user in users:
            content = ask(server, user, "?limit=5")
            assert content["experiments"] == [{"experiment_id": POLICY.key, "variant": variant}]
            assert content["is_personalised"] == (variant == "one")
            assert (items(content) == POPULAR) == (variant == "two")
            elsewhere = ask(server, user, "?limit=5&placement=cart")
            assert elsewhere["experiments"] == []
            assert elsewhere["is_personalised"]
            path = f"/v1/recommendations/{user}/explanations/item-0"
            at_home, in_cart = (
                server.ask("GET", path + query).content for query in ("", "?placement=cart")
            )
            assert at_home["experiments"] == content["experiments"]
            assert (at_home["position"] == 1) == (variant == "two")
            assert in_cart["position"] != 1


def test_impressions_and_exposures_name_experiment_and_variant(server: RunningServer) -> None:
    (one, _), (two, _) = users_of(POLICY).values()
    listed = {user: ask(server, user, "?limit=2&placement=home") for user in (one, two, two)}
    ask(server, "user-off")
    ask(server, one, "?placement=cart")

    def shown() -> dict[str, dict[str, Any]]:
        messages = [line["message"] for line in server.lines()]
        return {m["messageId"]: m["properties"] for m in messages if "products" in m["properties"]}

    until(lambda: {each["recommendation_id"] for each in listed.values()} <= shown().keys())
    for user, variant in {one: "one", two: "two"}.items():
        told = shown()[listed[user]["recommendation_id"]]
        assert (told["experiment_id"], told["variant"]) == (POLICY.key, variant)
        assert ("propensity" in told["products"][0]) == (variant == "one")
    until(lambda: {one, two} <= {each["user_id"] for each in exposures(server)})
    found = [(e["user_id"], e["variant"]) for e in exposures(server) if e["user_id"] in {one, two}]
    assert sorted(found) == sorted([(one, "one"), (two, "two")])
    # What is shown first is shown by the variant: it must not count as the user's past.
    exposed_at = {
        line["message"]["userId"]: line["received_at"]
        for line in server.lines()
        if line["message"]["event"] == "experiment_exposed"
    }
    for line in server.lines():
        message = line["message"]
        if message["messageId"] in {each["recommendation_id"] for each in listed.values()}:
            assert exposed_at[message["userId"]] <= line["received_at"]
    assert not any(each["user_id"] == "user-off" for each in exposures(server))
    assert exposures(server)[0]["properties"] == {"ranking_policy": "home"}


def test_who_fetches_ahead_tells_of_the_exposure_itself(server: RunningServer) -> None:
    user = users_of(POLICY, 8)["two"][7]
    content = ask(server, user, "?log=false")
    (experiment,) = content["experiments"]
    event = {"event": "Experiment Viewed", "userId": user, "messageId": "seen"}
    assert server.post("/v1/track", {**event, "properties": experiment}).status == 200
    found = [each for each in exposures(server) if each["user_id"] == user]
    assert [(e["event_id"], e["experiment_id"], e["variant"]) for e in found] == [
        ("seen", POLICY.key, "two")
    ]


def test_who_opts_out_has_their_own_list_again_in_the_next_answer(server: RunningServer) -> None:
    user = users_of(POLICY, 6)["two"][5]
    assert ask(server, user, "?limit=5&log=false")["experiments"]
    assert put(server, {"research": False}, user).status == 200
    after = ask(server, user, "?limit=5&log=false")
    assert after["experiments"] == []
    assert after["is_personalised"]


def test_what_was_shipped_is_everybodys_after_the_end(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    lake = Lake((data_dir / "lake").as_uri())
    publish_made_up_lists(lake, USERS)
    begin(lake, POLICY)
    publish_users(data_dir / "published" / "feedback.duckdb")
    with running_server(data_dir) as server:
        user = users_of(POLICY)["one"][0]
        until(lambda: ask(server, user)["experiments"] != [])
        end(lake, POLICY.key, shipped="two")
        until(lambda: ask(server, user)["experiments"] == [])
        assert items(ask(server, user, "?limit=5")) == POPULAR
        assert ask(server, user, "?placement=cart")["is_personalised"]


def test_a_challenger_answers_its_users_once_its_lists_are_there(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    lake = Lake((data_dir / "lake").as_uri())
    publish_made_up_lists(lake, USERS, model_version="champion-1")
    publish_users(data_dir / "published" / "feedback.duckdb")
    begin(lake, MODEL)
    arms = {users[0]: name for name, users in users_of(MODEL).items()}
    with running_server(data_dir) as server:
        until(lambda: ask(server, "user-0")["is_personalised"])
        for user in arms:
            # As long as one arm has no lists, nobody is in any.
            assert ask(server, user)["experiments"] == []
        publish_beside(lake, champion="champion-1", challenger="challenger")
        until(lambda: all(ask(server, user)["experiments"] for user in arms))
        answered = {arms[user]: ask(server, user)["model_version"] for user in arms}
        assert answered == {"one": "champion-1", "two": "challenger"}
        publish_made_up_lists(lake, USERS, model_version="champion-2")
        until(lambda: all(ask(server, user)["model_version"] == "champion-2" for user in arms))
        assert not any(ask(server, user)["experiments"] for user in arms)
    found = exposures(server)
    assert {(each["user_id"], each["variant"]) for each in found} == {*arms.items()}


def publish_beside(lake: Lake, *, champion: str, challenger: str) -> None:
    write = partial(write_made_up_lists, user_ids=USERS, made_at=ADA.at)
    publish_lists(
        lake,
        partial(write, model_version=champion),
        ADA.at,
        {challenger: partial(write, model_version=challenger)},
    )


def test_a_number_is_that_of_the_users_variant(fresh_server: RunningServer) -> None:
    lake = lake_of(fresh_server)
    publish_made_up_lists(lake, USERS, exploration=Exploration(0.05))
    publish_users(fresh_server.settings.published_path)
    begin(lake, SHARE)
    user = users_of(SHARE)["one"][0]
    until(lambda: fresh_server.ask("GET", f"/v1/recommendations/{user}").status == 200)
    until(lambda: ask(fresh_server, user)["experiments"] != [])
    for each in USERS:
        (experiment,) = ask(fresh_server, each, "?log=false")["experiments"]
        chances = {item["propensity"] for item in ask(fresh_server, each, "?log=false")["items"]}
        assert (chances == {1.0}) == (experiment["variant"] == "one")


class _Known:
    """Lists, experiments and users as a server has them in memory."""

    def __init__(self, lists: OnlineLists, experiments: RunningExperiments) -> None:
        self.current = lists
        self.by_version = {lists.model_version: lists}
        self.experiments = experiments

    def of(self, _user_id: str) -> Facts:
        return Facts(1, "fans")


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> OnlineLists:
    path = tmp_path_factory.mktemp("lists") / "file"
    write_made_up_lists(path, USERS, made_at=ADA.at, exploration=Exploration(0.05))
    return OnlineLists.open(path)


@given(
    user_id=st.text(min_size=1, max_size=30),
    segment=st.sampled_from(["fans", "others"]),
    placement=st.sampled_from(["home", "cart"]),
    allows=st.booleans(),
)
def test_lists_are_by_the_variants_that_analysis_expects(
    lists: OnlineLists, user_id: str, segment: str, placement: str, *, allows: bool
) -> None:
    audience = (Condition("segment", "equals", segment),)
    policy, holdout = replace(POLICY, audience=audience), HoldOut(10.0)
    experiments = RunningExperiments()
    for position, each in enumerate((policy, SHARE), start=1):
        experiments = experiments.after(position, Started(each, holdout, ADA, ADA.at))
    known = _Known(lists, experiments)
    varied = VariedLists(known, known, known)

    chosen = varied.chosen(user_id, placement, Preferences(allows_research=allows))

    assert chosen is not None
    found = {each.experiment_id: each.variant for each in chosen.assignments}
    expected = {
        each.key: variant_of(user_id, each, holdout, segment="fans")
        for each in ((policy, SHARE) if placement == "home" else (SHARE,))
    }
    if expected.get(policy.key) == "two":
        # Nothing is drawn in everybody's list.
        del expected[SHARE.key]
    assert found == {key: each for key, each in expected.items() if each and allows}
    assert chosen.policy == {"two": "popular"}.get(found.get(policy.key, ""), "personalised")
    share = {"one": 0.0, "two": 0.1}.get(found.get(SHARE.key, ""), 0.05)
    assert chosen.lists.exploration.share == share
    assert varied.chosen(user_id, placement, Preferences(is_personalised=False)) is not None


def test_a_number_that_was_shipped_is_everybodys_and_another_experiment_goes_on_from_it(
    lists: OnlineLists,
) -> None:
    over = RunningExperiments().after(1, Started(SHARE, HoldOut(), ADA, ADA.at))
    over = over.after(2, Stopped(SHARE.key, STOPPED, ADA, ADA.at, "two"))
    known = _Known(lists, over)
    varied = VariedLists(known, known, known)
    first, second = (varied.chosen(user, "home", EVERYTHING) for user in USERS[:2])
    assert first is not None
    assert second is not None
    assert first.lists.exploration.share == 0.1
    assert first.lists is second.lists
    assert first.assignments == ()


def test_how_clicks_of_strangers_count_is_an_experiment_over_strangers(lists: OnlineLists) -> None:
    """A list of whom the model knows is the same in each variant, and would dilute the effect."""
    cold = of_lists(Lever.THRESHOLD, "cold_share", 0.5, 0.9)
    experiments = RunningExperiments()
    for position, each in enumerate((POLICY, cold), start=1):
        experiments = experiments.after(position, Started(each, HoldOut(), ADA, ADA.at))
    known = _Known(lists, experiments)
    varied = VariedLists(known, known, known)
    shares = {"one": 0.5, "two": 0.9}

    for stranger in (f"stranger-{number}" for number in range(20)):
        chosen = varied.chosen(stranger, "cart", EVERYTHING)
        assert chosen is not None
        (assignment,) = chosen.assignments
        assert assignment.variant == variant_of(stranger, cold)
        assert chosen.lists.folding.cold_share == shares[assignment.variant]
    for user in USERS:
        chosen = varied.chosen(user, "home", EVERYTHING)
        assert chosen is not None
        # The other experiment goes on.
        assert [each.experiment_id for each in chosen.assignments] == [POLICY.key]
