"""OpenFeature's Python SDK with its OFREP provider: what it evaluates is what was defined."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from feedback_platform_tests.services.flag_questions import (
    ADA_IN_AUSTRIA,
    EXPECTED,
    USERS,
    is_in_rollout,
    publish_flags,
    turn_on,
)
from feedback_platform_tests.services.processes import run
from feedback_platform_tests.services.segment_collector import WRITE_KEY, SegmentCollector
from feedback_platform_tests.serving.running_experiments import LAYOUT, begin, users_of
from feedback_platform_tests.waiting import until

PROGRAM: Final = Path(__file__).parent / "openfeature_sdks" / "evaluate.py"
TYPES: Final = {
    "switch": "Boolean", "layout": "String", "fans": "String", "price": "Float",
    "limit": "Integer", "theme": "Object", "gone": "Boolean", "rollout": "String",
}  # fmt: skip
FALLBACKS: Final[dict[str, Any]] = {
    "Boolean": True, "String": "x", "Float": 9.5, "Integer": 9, "Object": {},
}  # fmt: skip
Evaluate = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def evaluate(collector: SegmentCollector, tmp_path: Path) -> Evaluate:
    """Ask the SDK for some flags, in a process of its own."""

    def evaluate(
        context: dict[str, Any], *flags: str, key: str = WRITE_KEY, **types: str
    ) -> dict[str, dict[str, Any]]:
        chosen = [(flag, types.get(flag, TYPES.get(flag, "Boolean"))) for flag in flags]
        asked = [{"flag": f, "type": kind, "fallback": FALLBACKS[kind]} for f, kind in chosen]
        file = tmp_path / "asked.json"
        file.write_text(json.dumps({"context": context, "flags": asked}))
        said = run([sys.executable, str(PROGRAM), str(file), collector.address, key], cwd=tmp_path)
        found: dict[str, dict[str, Any]] = json.loads(said)
        return found

    return evaluate


def test_flags_of_every_type_are_what_was_defined_and_change_without_a_restart(
    collector: SegmentCollector, evaluate: Evaluate
) -> None:
    flags = publish_flags(collector)

    found = evaluate(ADA_IN_AUSTRIA, *EXPECTED)
    assert {
        flag: (each["value"], each["reason"], each["variant"]) for flag, each in found.items()
    } == EXPECTED
    assert {each["errorCode"] for each in found.values()} == {None}
    # A float stays one on its way, a whole number, too.
    assert isinstance(found["price"]["value"], float)
    assert isinstance(found["limit"]["value"], int)

    # A rollout has the users whom the agreed hash puts in it, and nobody who opted out.
    for user in USERS:
        variant = evaluate({"targetingKey": user}, "rollout")["rollout"]["variant"]
        assert variant == ("cards" if is_in_rollout(user) else "list")
    opted_out = evaluate({"targetingKey": "eve", "personalisation": True}, "rollout", "fans")
    assert {(each["variant"], each["reason"]) for each in opted_out.values()} == {
        ("list", "STATIC")
    }

    # What goes wrong leaves the program its own value, with the error's name.
    wrong = evaluate({}, "none", "rollout", "layout", layout="Boolean")
    assert {flag: each["errorCode"] for flag, each in wrong.items()} == {
        "none": "FLAG_NOT_FOUND",
        "rollout": "TARGETING_KEY_MISSING",
        "layout": "TYPE_MISMATCH",
    }
    refused = evaluate(ADA_IN_AUSTRIA, "switch", key="another")["switch"]
    assert (refused["value"], refused["errorCode"]) == (True, "GENERAL")

    turn_on(flags)
    until(lambda: evaluate(ADA_IN_AUSTRIA, "switch")["switch"]["value"] is True)


def test_an_experiment_reaches_the_sdk_and_its_exposures_reach_the_layers(
    collector: SegmentCollector, evaluate: Evaluate
) -> None:
    publish_flags(collector)
    begin(collector.installation.lake, LAYOUT)
    arms = {variant: users[0] for variant, users in users_of(LAYOUT).items()}
    asked = {user: {"targetingKey": user} for user in arms.values()}
    # Whichever process answers knows of the start, about a second later.
    until(
        lambda: all(
            "experimentId" in evaluate(asked[user], "rollout")["rollout"]["metadata"]
            for user in [*asked] * 3
        )
    )

    for variant, user in arms.items():
        for _ in range(2):
            found = evaluate(asked[user], "rollout", "layout")
            assert (found["rollout"]["value"], found["rollout"]["reason"]) == (variant, "SPLIT")
            names = {"experimentId": LAYOUT.key, "variant": variant}
            assert found["rollout"]["metadata"].items() >= names.items()
            assert found["layout"]["reason"] == "STATIC"

    columns = ["event_type", "experiment_id", "user_id", "variant"]
    assert sorted(collector.interactions(columns).rows()) == [
        ("experiment_exposed", LAYOUT.key, user, variant)
        for user, variant in sorted((user, variant) for variant, user in arms.items())
    ]
