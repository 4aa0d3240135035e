from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.identities import device_owners, resolved
from feedback_platform.privacy.requests import file_request
from feedback_platform_tests.cleaning.lines import HOUR, event, ndjson

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def clean(lake: Lake, *lines: dict[str, Any]) -> None:
    write_raw_object(lake, received_at=HOUR, source="web", sortable_id="1", ndjson=ndjson(*lines))
    clean_new(lake, default_rules(), is_sweep=True)


def at(minute: int, event_id: str, **fields: Any) -> dict[str, Any]:
    return event(event_id, occurred_at=f"2026-03-01T09:{minute:02d}:00Z", **fields)


def alias(minute: int, event_id: str, user: str, previous: str) -> dict[str, Any]:
    properties = {"previous_id": previous}
    return at(minute, event_id, event_type="user_aliased", user_id=user, properties=properties)


def test_a_device_is_the_first_known_users(lake: Lake) -> None:
    clean(
        lake,
        at(5, "2", user_id="bob", anonymous_id="tablet"),
        at(1, "1", user_id="ada", anonymous_id="tablet"),
        at(9, "3", user_id="ada", anonymous_id="bobs"),
        at(2, "4", user_id="bob", anonymous_id="bobs"),
    )

    assert device_owners(lake, ["ada"]) == {"tablet": "ada", "bobs": "bob"}
    assert device_owners(lake, ["eve"], ["tablet"]) == {"tablet": "ada"}


def test_an_alias_hands_a_device_over_in_whatever_order_the_two_are_named(lake: Lake) -> None:
    clean(lake, at(1, "1", user_id=None, anonymous_id="web"), alias(5, "2", "ada", "web"))

    assert device_owners(lake, ["ada"]) == {"web": "ada"}
    assert device_owners(lake, [], ["web"]) == {"web": "ada"}


def test_a_request_gets_the_devices_of_its_users(lake: Lake) -> None:
    clean(
        lake,
        at(1, "1", user_id="ada", anonymous_id="tablet"),
        alias(2, "2", "bob", "web"),
        at(3, "3", user_id=None, anonymous_id="nobodys"),
    )
    ada = file_request(lake, ["ada", "anonymous:nobodys"], now=NOW)
    bob = file_request(lake, ["bob", "anonymous:tablet"], now=NOW)

    found = {each.request_id: each.devices for each in resolved(lake, [ada, bob])}

    # The tablet is Ada's, whoever asks for it.
    assert found == {ada.request_id: ("nobodys", "tablet"), bob.request_id: ("web",)}


def test_what_was_found_once_is_not_forgotten_when_the_signs_are_gone(lake: Lake) -> None:
    clean(lake, at(1, "1", user_id="ada", anonymous_id="tablet"))
    request = file_request(lake, ["ada"], now=NOW)
    (before,) = resolved(lake, [request])
    lake.delete(lake.list_keys("clean"))
    other = at(2, "2", user_id="bob", anonymous_id="tablet")
    lake.delete(lake.list_keys("raw"))
    clean(lake, other)

    (after,) = resolved(lake, [before])

    assert after.devices == before.devices == ("tablet",)
