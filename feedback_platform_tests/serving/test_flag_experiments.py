"""Flags that experiments vary: who gets what, who is told of, and what starts and stops do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.context import Context
from feedback_platform.adjustment.flags.definition import Condition
from feedback_platform.adjustment.flags.evaluation import CompiledFlag
from feedback_platform.adjustment.flags.flag_set import FlagSet
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.experiments.definition import HoldOut, Slot
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.running import RunningExperiments
from feedback_platform.lake.store import Lake
from feedback_platform.serving.flag_experiments import FlagExperiments
from feedback_platform_tests.adjustment.flags.definitions import ADA as AUTHOR
from feedback_platform_tests.serving.flag_server import (
    FLAGS,
    apply_flags,
    by_key,
    evaluate,
    opened_stream,
)
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.running_experiments import (
    ADA,
    LAYOUT,
    begin,
    end,
    exposures,
    lake_of,
    users_of,
    variant_of,
)
from feedback_platform_tests.serving.users import put
from feedback_platform_tests.waiting import until

USERS = users_of(LAYOUT)
IN_CARDS, ALSO_IN_CARDS = USERS["cards"]
IN_LIST = USERS["list"][0]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server with flags, in which an experiment runs."""
    data_dir = tmp_path / "data"
    lake = Lake((data_dir / "lake").as_uri())
    Flags(lake).apply(FLAGS, AUTHOR)
    begin(lake, LAYOUT)
    publish_users(data_dir / "published" / "feedback.duckdb", opted_out=["user-off"])
    with running_server(data_dir) as running:
        until(lambda: evaluate(running, "rollout", targetingKey=IN_CARDS).status == 200)
        yield running


def test_who_is_in_the_experiment_gets_its_variant_and_its_names(server: RunningServer) -> None:
    for variant, users in USERS.items():
        for user in users:
            assert evaluate(server, "rollout", targetingKey=user).content == {
                "key": "rollout",
                "value": variant,
                "variant": variant,
                "reason": "SPLIT",
                "metadata": {"revision": 1, "experimentId": "cards-at-home", "variant": variant},
            }
            everything = by_key(evaluate(server, targetingKey=user))
            assert everything["rollout"] == evaluate(server, "rollout", targetingKey=user).content
            assert everything["layout"]["reason"] == "STATIC"


def test_who_opted_out_gets_what_everybody_would_in_the_next_answer(server: RunningServer) -> None:
    off = evaluate(server, "rollout", targetingKey="user-off").content
    assert (off["variant"], off["reason"]) == ("list", "STATIC")
    asked: dict[str, Any] = {"targetingKey": IN_CARDS}
    sent = evaluate(server, "rollout", **asked, personalisation=False).content
    assert (sent["variant"], sent["reason"]) == ("list", "STATIC")
    assert evaluate(server, "rollout", **asked).content["metadata"]["variant"] == "cards"

    assert put(server, {"research": False}, IN_CARDS).status == 200

    for answer in (
        evaluate(server, "rollout", **asked).content,
        by_key(evaluate(server, **asked))["rollout"],
    ):
        assert "experimentId" not in answer["metadata"]
    # Research is not personalisation: the flag's own rollout goes on.
    assert evaluate(server, "rollout", **asked).content["reason"] in {"SPLIT", "STATIC"}
    assert put(server, {"research": True}, IN_CARDS).status == 200
    assert evaluate(server, "rollout", **asked).content["metadata"]["variant"] == "cards"


def test_starts_and_stops_are_told_to_who_listens_and_reach_everybody_in_the_next_look(
    server: RunningServer,
) -> None:
    lake = lake_of(server)
    asked: dict[str, Any] = {"targetingKey": IN_CARDS}
    before = evaluate(server, **asked)
    with opened_stream(server, headers="last-event-id: 1-1\r\n") as stream:
        assert stream.next_piece() == b"retry: 3000\n\n"
        end(lake, LAYOUT.key)
        assert b'id: 1-2\ndata: {"type":"refetchEvaluation","etag":"1-2"' in stream.next_piece()
    after = evaluate(server, headers={"if-none-match": before.headers["etag"]}, **asked)
    assert after.status == 200
    assert "experimentId" not in by_key(after)["rollout"]["metadata"]

    begin(lake, replace(LAYOUT, key="again", seed=LAYOUT.key))
    # Who was told of it by another process is waited for.
    path = "/ofrep/v1/evaluate/flags?flagConfigEtag=1-3"
    told = by_key(server.post(path, {"context": asked}))["rollout"]
    assert told["metadata"] == {"revision": 1, "experimentId": "again", "variant": "cards"}


def test_an_exposure_is_of_who_asked_for_the_flag_by_its_name_once(server: RunningServer) -> None:
    for user in (IN_CARDS, IN_LIST, IN_CARDS):
        evaluate(server, targetingKey=user)
    for _ in range(3):
        for user in (IN_CARDS, IN_LIST, "user-off"):
            evaluate(server, "rollout", targetingKey=user)
            evaluate(server, "layout", targetingKey=user)

    until(lambda: len(exposures(server)) >= 2)

    found = {each["user_id"]: each for each in exposures(server)}
    assert len(exposures(server)) == 2
    assert {user: each["variant"] for user, each in found.items()} == {
        IN_CARDS: "cards",
        IN_LIST: "list",
    }
    assert {each["experiment_id"] for each in found.values()} == {"cards-at-home"}
    assert found[IN_CARDS]["properties"] == {"flag": "rollout"}


def test_another_process_and_a_restart_give_and_tell_the_same(server: RunningServer) -> None:
    users = [f"user-{number}" for number in range(20)]
    first = {user: evaluate(server, "rollout", targetingKey=user).content for user in users}
    with running_server(server.settings.data_dir) as other:
        assert first == {
            user: evaluate(other, "rollout", targetingKey=user).content for user in users
        }
        until(lambda: len(exposures(server)) == 40)
    ids = [each["event_id"] for each in exposures(server)]
    assert len(set(ids)) == 20


def test_a_flag_that_cannot_give_every_variant_is_what_it_is_without(
    fresh_server: RunningServer,
) -> None:
    apply_flags(fresh_server)
    lake = lake_of(fresh_server)
    gone = replace(LAYOUT, key="gone", subject="gone", variants={"list": "on", "cards": "off"})
    wrong = replace(LAYOUT, key="wrong", subject="fans", variants={"list": "list", "cards": "x"})
    for definition in (gone, wrong, replace(LAYOUT, key="none", subject="none")):
        begin(lake, definition)
    begin(lake, LAYOUT)
    until(lambda: "experimentId" in str(by_key(evaluate(fresh_server))))
    for user in (*USERS["cards"], *USERS["list"]):
        found = by_key(evaluate(fresh_server, targetingKey=user))
        assert found["gone"]["reason"] == "DISABLED"
        assert found["fans"]["reason"] == "STATIC"


def test_a_changed_flag_is_varied_on_with_its_new_revision(server: RunningServer) -> None:
    flags = Flags(lake_of(server))
    flags.edit("rollout", lambda old: with_default(old, "cards"), AUTHOR)
    until(
        lambda: (
            evaluate(server, "rollout", targetingKey=IN_LIST).content["metadata"]["revision"] == 2
        )
    )
    assert evaluate(server, "rollout", targetingKey=IN_LIST).content["variant"] == "list"


@given(
    user_id=st.text(min_size=1, max_size=30),
    country=st.sampled_from(["AT", "FR"]),
    percentage=st.sampled_from([30.0, 100.0]),
)
def test_a_flag_gives_the_variant_that_analysis_expects(
    user_id: str, country: str, percentage: float
) -> None:
    definition = replace(
        LAYOUT,
        percentage=percentage,
        audience=(Condition("country", "equals", "AT"),),
        slot=Slot("home", 0, 60),
    )
    holdout = HoldOut(10.0)
    experiments = RunningExperiments().after(1, Started(definition, holdout, ADA, ADA.at))
    flag = CompiledFlag(FLAGS["rollout"], 1)
    varied = FlagExperiments(FlagSet(1, flags={"rollout": flag}), experiments)

    assigned = varied.assigned(flag, Context(user_id, {"country": country}))

    expected = variant_of(user_id, definition, holdout, country=country)
    assert (assigned and assigned.assignment.variant) == expected
    assert (
        varied.assigned(flag, Context(user_id, {"country": country}, is_personalised=False)) is None
    )
    assert varied.assigned(flag, Context(None, {"country": country})) is None
