from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from feedback_platform.adjustment.rules.definition import (
    EACH,
    Action,
    Comparison,
    Kind,
    OnExpiry,
    Watch,
)
from feedback_platform.adjustment.rules.rules_file import (
    load_trigger_rules,
    parse_trigger_rules,
)
from feedback_platform.errors import InvalidInputError

RULE = """
[[rules]]
name = "few-clicks"
metric = "click_through_rate"
scope = { placement = "home" }
window = "24 hours"
comparison = "below"
threshold = 0.05
rearm = 0.06
minimum_sample = 500
cooldown = "2 days"
action = { kind = "flag", flag = "layout", variant = "list" }
"""


def test_the_rule_that_ships_is_the_articles_example() -> None:
    (rule,) = load_trigger_rules(None)

    assert (rule.metric, rule.comparison, rule.threshold) == (
        "click_through_rate",
        Comparison.BELOW,
        0.05,
    )
    assert rule.action.at({"placement": "home"}) == Action(Kind.FLAG, "layout-home", "compact")
    assert [guard.metric for guard in rule.watch.guards] == ["bounce_rate", "click_through_rate"]
    assert [dict(guard.scope) for guard in rule.watch.guards] == [{"placement": EACH}] * 2
    assert rule.watch.on_expiry is OnExpiry.KEEP


def test_what_a_rule_leaves_out_is_as_the_file_that_ships_says() -> None:
    (rule,) = parse_trigger_rules(RULE, origin="mine.toml")

    assert rule.level == 0.99
    assert rule.watch.guards == ()
    assert rule.watch.expires_after is None
    assert (rule.window, rule.cooldown) == (timedelta(days=1), timedelta(days=2))


def test_a_file_without_rules_switches_them_off(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("# none\n")

    assert load_trigger_rules(path) == ()


def test_a_guard_is_about_what_the_rule_is_about_unless_it_says_otherwise() -> None:
    guards = """
        [[rules.guards]]
        metric = "average_rating"
        margin = 0.2
        window = "1 day"
        minimum_sample = 50
        [[rules.guards]]
        metric = "bounce_rate"
        scope = { segment = "2" }
        margin = 0.05
        window = "1 day"
        minimum_sample = 50
        level = 0.9
    """
    text = RULE.replace("cooldown", 'expires_after = "7 days"\ncooldown') + guards

    (rule,) = parse_trigger_rules(text, origin="mine.toml")

    # A rating is given to an item, not at a placement.
    assert [dict(guard.scope) for guard in rule.watch.guards] == [{}, {"segment": "2"}]
    assert rule.watch.guards[1].level == 0.9


def test_a_change_without_guards_lasts_as_long_as_the_rule_says() -> None:
    text = RULE.replace("cooldown", 'expires_after = "7 days"\ncooldown')

    (rule,) = parse_trigger_rules(text, origin="mine.toml")

    assert rule.watch == Watch((), timedelta(days=7), OnExpiry.UNDO)


def test_a_webhook_needs_an_address() -> None:
    text = RULE.replace('"flag", flag = "layout", variant = "list"', '"webhook"')

    (rule,) = parse_trigger_rules(text, origin="mine.toml", has_webhook=True)
    assert rule.action == Action(Kind.WEBHOOK)
    with pytest.raises(InvalidInputError, match=r"no address to call; set FEEDBACK_WEBHOOK_URL"):
        parse_trigger_rules(text, origin="mine.toml")


def test_a_rule_may_start_an_experiment_named_after_what_it_met() -> None:
    text = RULE.replace(
        '"flag", flag = "layout", variant = "list"',
        '"start_experiment", experiment = "cards-at-{placement}"',
    )
    (rule,) = parse_trigger_rules(text, origin="mine.toml")
    assert rule.action == Action(Kind.START_EXPERIMENT, "cards-at-{placement}")
    assert rule.action.at({"placement": "home"}).subject == "cards-at-home"


CHANGES = [
    # what stands there → what is written instead, and what is said about it
    ('name = "few-clicks"', 'name = "Few clicks"', r"rule 1: name is 'Few clicks'; it accepts low"),
    ('name = "few-clicks"', f'name = "{"a" * 101}"', "name is 'a*'; it accepts at most 100 char"),
    ('name = "few-clicks"', "", r"mine\.toml: rule 1 lacks name"),
    (
        'metric = "click_through_rate"',
        'metric = "clicks"',
        r"mine\.toml: rule 'few-clicks': metric is 'clicks'; it accepts click_through_rate, dism",
    ),
    (
        '{ placement = "home" }',
        '{ country = "DE" }',
        "scope is .*; it accepts a table of placement, segment, item, category, model_version",
    ),
    ('{ placement = "home" }', "{ placement = 3 }", "scope is .*; it accepts a table"),
    ('{ placement = "home" }', '"home"', "scope is 'home'; it accepts a table"),
    ('"24 hours"', "24", "window is 24; it accepts a text such as '90 minutes'"),
    ('"24 hours"', '"0 hours"', "window is '0 hours'; .* from 1 minute to 366 days"),
    ('"24 hours"', '"3 weeks"', "window is '3 weeks'"),
    ('"below"', '"under"', "comparison is 'under'; it accepts below or above"),
    ("threshold = 0.05", "threshold = 5", "threshold is 5; it accepts a number from 0 to 1"),
    ("threshold = 0.05", "threshold = nan", "threshold is nan"),
    ("threshold = 0.05", "threshold = true", "threshold is True"),
    ("rearm = 0.06", "rearm = 0.04", "rearm is 0.04; it accepts a number from 0.05 to 1"),
    ('"below"', '"above"', "rearm is 0.06; it accepts a number from 0 to 0.05"),
    ("= 500", "= 19", "minimum_sample is 19; it accepts a whole number from 20 up"),
    ("= 500", "= 500.0", "minimum_sample is 500.0; it accepts a whole number"),
    ("= 500", "= 500\nlevel = 95", "level is 95; it accepts a number above 0.5 and below 1"),
    ("= 500", "= 500\nlevle = 0.9", "has an unknown key 'levle'; did you mean 'level'"),
    ('cooldown = "2 days"', "", "rule 'few-clicks' lacks cooldown"),
    (
        'kind = "flag", flag = "layout", variant = "list"',
        'kind = "start_experiment", flag = "layout"',
        "action has an unknown key 'flag'",
    ),
    ('kind = "flag"', 'kind = "layout"', "a layout is a flag: write kind = 'flag'"),
    ('kind = "flag"', 'kind = "mail"', "action: kind is 'mail'; it accepts flag, hide_category"),
    ('flag = "layout", ', "", "action lacks flag"),
    ('"layout"', '""', "action: flag is ''; it accepts a text"),
    (
        '"layout"',
        '"layout-{segment}"',
        r"flag is 'layout-\{segment\}'; it accepts .* stand for what was met: \{placement\}",
    ),
    (
        'kind = "flag", flag = "layout", variant = "list"',
        'kind = "hide_category", category = "labs", variant = "x"',
        "action has an unknown key 'variant'",
    ),
    (
        'kind = "flag", flag = "layout", variant = "list"',
        'kind = "roll_back_model", model = "ranker"',
        "model is 'ranker'; it accepts recommender",
    ),
    (
        'cooldown = "2 days"',
        'cooldown = "2 days"\non_expiry = "undo"',
        "say when, in expires_after",
    ),
    ('cooldown = "2 days"', 'cooldown = "2 days"\non_expiry = "drop"', "accepts keep or undo"),
    ('cooldown = "2 days"', 'cooldown = "2 days"\nguards = 3', "guards is 3; it accepts tables"),
]


@pytest.mark.parametrize(("there", "instead", "problem"), CHANGES)
def test_an_error_names_the_rule_the_field_and_what_is_accepted(
    there: str, instead: str, problem: str
) -> None:
    assert there in RULE

    with pytest.raises(InvalidInputError, match=problem):
        parse_trigger_rules(RULE.replace(there, instead), origin="mine.toml")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules = ", "^mine.toml is not valid TOML"),
        (f"rules = {'9' * 5_000}", "^mine.toml is not valid TOML"),
        ("rules = 3", r"rules is 3; write \[\[rules\]\] above each rule"),
        ("rules = [3]", "rule 1 is 3; it accepts a table"),
        ("[[rule]]", "has an unknown key 'rule'; did you mean 'rules'"),
        (RULE + RULE, "has two rules 'few-clicks'"),
        (
            RULE + '[[rules.guards]]\nmetric = "bounce_rate"\nscope = { segment = "each" }',
            r"guard 1: scope is .*; it accepts 'each' only where the scope of the rule has it",
        ),
        (
            RULE + '[[rules.guards]]\nmetric = "bounce_rate"\nmargin = 0.1\nwindow = "2 hours"\n'
            "minimum_sample = 50",
            "lacks expires_after: for so long its guards are waited for",
        ),
        (
            RULE.replace('cooldown = "2 days"', 'cooldown = "2 days"\nexpires_after = "1 hour"')
            + '[[rules.guards]]\nmetric = "bounce_rate"\nmargin = 0.1\nwindow = "2 hours"\n'
            "minimum_sample = 50",
            "expires_after is '1 hour'; it accepts no less than the longest window of its guards",
        ),
    ],
)
def test_what_no_rule_can_mean_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        parse_trigger_rules(text, origin="mine.toml")


def test_a_file_that_cannot_be_read_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.toml cannot be read .*FEEDBACK_TRIGGER_RU"):
        load_trigger_rules(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff")
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        load_trigger_rules(binary)
