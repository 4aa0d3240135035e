"""The flags that OpenFeature's SDKs are asked for, and what each of them has to be."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.request import Request, urlopen

from feedback_platform.adjustment.flags.bucketing import Bucketing
from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform_tests.adjustment.flags.definitions import ADA
from feedback_platform_tests.services.segment_collector import WRITE_KEY, SegmentCollector
from feedback_platform_tests.serving.flag_server import FLAGS
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.waiting import until

# Some of them in the rollout by the agreed hash, some not.
USERS: Final = [f"user-{number}" for number in range(8)]
ADA_IN_AUSTRIA: Final[dict[str, Any]] = {"targetingKey": "ada", "country": "AT"}
Question = dict[str, Any]
Outcome = tuple[Any, str, str]
# Flag → what is expected for ada, a fan in Austria.
EXPECTED: Final[dict[str, Outcome]] = {
    "switch": (False, "STATIC", "off"),
    "layout": ("grid", "TARGETING_MATCH", "grid"),
    "fans": ("cards", "TARGETING_MATCH", "cards"),
    "price": (1.0, "STATIC", "a"),
    "limit": (5, "STATIC", "a"),
    "theme": ({"dark": True}, "STATIC", "a"),
    # The program's own value, since the flag is disabled.
    "gone": (True, "DISABLED", ""),
}


def publish_flags(collector: SegmentCollector) -> Flags:
    """Define the flags, say that ada is a fan, and wait until the server knows.

    Returns:
        The flags as their owner has them, to change them.
    """
    published = collector.installation.settings.published_path
    publish_users(published, segments={"ada": "fans"}, opted_out=["eve"])
    flags = Flags(collector.installation.lake)
    flags.apply(FLAGS, ADA)
    until(lambda: _is_known(collector))
    return flags


def _is_known(collector: SegmentCollector) -> bool:
    """Whether the server has the flags and the segments."""
    request = Request(  # noqa: S310 - on this machine
        f"{collector.address}/ofrep/v1/evaluate/flags",
        json.dumps({"context": ADA_IN_AUSTRIA}).encode(),
        {"X-API-Key": WRITE_KEY},
    )
    with urlopen(request) as answer:  # noqa: S310
        found = {each["key"]: each for each in json.load(answer)["flags"]}
    return bool(found.get("fans", {}).get("variant") == "cards")


def turn_on(flags: Flags) -> None:
    flags.edit("switch", lambda old: with_default(old, "on"), ADA)


def is_in_rollout(user: str) -> bool:
    return Bucketing("rollout").place(user) < 0.5
