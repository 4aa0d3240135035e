from __future__ import annotations

import pytest

from feedback_platform.cleaning.configuration import SignalRules, default_rules, parse_rules
from feedback_platform.errors import InvalidInputError


def test_a_rule_is_read_with_all_its_settings() -> None:
    text = """
        [rating]
        event_type = "item_rated"
        scale = "log"
        impute = 3
        outliers = { method = "iqr", limit = 1.5 }
        normalise = { method = "min_max", minimum = 0.5, maximum = 5.0 }
    """

    assert parse_rules(text, origin="rules.toml") == (
        SignalRules("rating", "item_rated", "log", 3.0, "iqr", 1.5, "min_max", 0.5, 5.0),
    )


def test_what_is_not_said_is_not_done() -> None:
    (rule,) = parse_rules('[like]\nevent_type = "item_liked"', origin="rules.toml")

    assert rule == SignalRules("like", "item_liked")
    assert not rule.needs_reference


def test_the_rules_that_ship_need_a_reference_for_views_and_uses() -> None:
    assert {rule.signal for rule in default_rules() if rule.needs_reference} == {"view", "use"}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("[view", "rules.toml is not valid TOML"),
        ("[view]", r"\[view\] event_type is None; it accepts item_impression, item_viewed"),
        ('[view]\nevent_type = "seen"', r"event_type is 'seen'; it accepts"),
        ('[view]\nevent_type = "item_viewed"\nscale = "root"', "'root'; it accepts linear, log"),
        ('[view]\nevent_type = "item_viewed"\nimpute = "mean"', "accepts none, median, mode"),
        (
            '[view]\nevent_type = "item_viewed"\noutliers = { method = "mad", limit = 1 }',
            "outliers is 'mad'; it accepts none, iqr, z_score",
        ),
        (
            '[view]\nevent_type = "item_viewed"\noutliers = { method = "iqr" }',
            r"\[view\] outliers needs a limit above 0",
        ),
        (
            '[view]\nevent_type = "item_viewed"\noutliers = { method = "iqr", limit = -1 }',
            "needs a limit above 0",
        ),
        (
            '[view]\nevent_type = "item_viewed"\nnormalise = { method = "rank" }',
            "normalise is 'rank'; it accepts none, min_max, z_score",
        ),
        (
            '[view]\nevent_type = "item_viewed"\nnormalise = { method = "min_max", minimum = 1 }',
            "needs both minimum and maximum",
        ),
        ('[view]\nevent_type = "item_viewed"\nlimit = 3', "unknown settings: limit"),
        (
            '[a]\nevent_type = "item_viewed"\n[b]\nevent_type = "item_viewed"',
            "more than one signal has event_type 'item_viewed'",
        ),
    ],
)
def test_a_bad_rule_says_where_and_what_is_accepted(rule: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        parse_rules(rule, origin="rules.toml")
