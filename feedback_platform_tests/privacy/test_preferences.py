"""What users say of what they allow, and what follows."""

from __future__ import annotations

from typing import Any

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.privacy.preferences import (
    Preferences,
    PreferencesChange,
    requested_change,
    stated_change,
)

SIGNALS = ("click", "like", "view")


def after(*contents: dict[str, Any]) -> Preferences:
    """What is allowed when somebody has said these things, one after the other."""
    found = Preferences()
    for content in contents:
        found = requested_change(content, SIGNALS).applied_to(found)
    return found


def test_whoever_said_nothing_allows_everything() -> None:
    assert after() == Preferences(
        is_personalised=True, allows_research=True, signals_off=frozenset()
    )
    assert after({}, {"signals": {}}) == after()
    assert not requested_change({}, SIGNALS)


def test_each_switch_is_as_it_was_said_last_whatever_was_said_of_others() -> None:
    said = after(
        {"personalisation": False, "signals": {"click": False, "view": False}},
        {"research": False, "signals": {"view": True}},
        {"personalisation": True},
    )

    assert said == Preferences(allows_research=False, signals_off=frozenset({"click"}))


def test_the_whole_of_it_can_be_sent_back() -> None:
    said = after({"research": False, "signals": {"click": False}})
    content = said.content(SIGNALS)

    assert content == {
        "personalisation": True,
        "research": False,
        "signals": {"click": False, "like": True, "view": True},
    }
    assert after(content) == said


def test_a_signal_that_is_off_is_shown_although_the_platform_knows_it_no_more() -> None:
    assert after({"signals": {"click": False}}).content(["like"])["signals"] == {
        "click": False,
        "like": True,
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "The body accepts an object"),
        (None, "The body accepts an object"),
        ({"personalization": False}, "The body has no 'personalization'"),
        ({"personalisation": "false"}, "personalisation accepts true or false"),
        ({"research": None}, "research accepts true or false"),
        ({"research": 0}, "research accepts true or false"),
        ({"signals": []}, "signals accepts an object"),
        ({"signals": {"clicks": False}}, "signals has no 'clicks'; it accepts click, like, view"),
        ({"signals": {"click": "off"}}, "signals.click accepts true or false"),
    ],
)
def test_a_request_that_may_mean_something_else_is_refused(content: Any, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        requested_change(content, SIGNALS)


def test_an_event_says_only_what_the_layers_read_in_it() -> None:
    said = stated_change(
        {
            "personalisation": "FALSE",
            "research": "no",
            "signals": {"click": False, "like": "True", "view": 0},
            "source": "banner",
        }
    )

    assert said == PreferencesChange(personalisation=False, signals={"click": False, "like": True})
    assert not stated_change({"signals": ["click"]})
    assert not stated_change("off")


def test_what_a_request_says_is_what_its_event_says() -> None:
    change = requested_change({"research": False, "signals": {"click": True}}, SIGNALS)

    assert stated_change(change.content) == change
