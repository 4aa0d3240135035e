from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.cleaning.configuration import (
    Encoding,
    SignalRules,
    default_rules,
    load_rules,
    parse_rules,
)
from feedback_platform.errors import InvalidInputError

VIEW = '[signals.view]\nevent_type = "item_viewed"\n'


def test_a_rule_is_read_with_all_its_settings() -> None:
    text = """
        [signals.rating]
        event_type = "item_rated"
        scale = "log"
        impute = 3
        outliers = { method = "iqr", limit = 1.5, treatment = "cap" }
        normalise = { method = "min_max", minimum = 0.5, maximum = 5.0 }
    """

    assert parse_rules(text, origin="rules.toml").signals == (
        SignalRules("rating", "item_rated", "log", 3.0, "iqr", 1.5, "min_max", 0.5, 5.0, "cap"),
    )


def test_what_is_not_said_is_not_done() -> None:
    (rule,) = parse_rules('[signals.like]\nevent_type = "item_liked"', origin="rules.toml").signals

    assert rule == SignalRules("like", "item_liked")


def test_a_part_that_a_file_leaves_out_is_as_shipped() -> None:
    shipped = default_rules()

    rules = parse_rules('[bots]\nmine = ["My Probe/"]', origin="rules.toml")

    assert rules.bots == (("mine", ("my probe/",)),)
    assert (rules.signals, rules.encodings) == (shipped.signals, shipped.encodings)
    assert parse_rules("", origin="rules.toml") == shipped


def test_an_encoding_has_the_categories_in_their_order_and_two_places_more() -> None:
    text = """
        [encodings.device_type]
        tv = ["Smart TV", "TV"]
        console = []
        [encodings.platform]
        web = []
    """

    devices = parse_rules(text, origin="rules.toml").devices

    assert devices == Encoding(
        "device_type", (("tv", ("tv", "smart tv")), ("console", ("console",)))
    )
    assert devices.names == ("tv", "console", "other", "unknown")


def test_the_version_follows_what_the_rules_say_and_not_how_they_are_written() -> None:
    one = parse_rules(f"# a comment\n{VIEW}", origin="one.toml")
    same = parse_rules(f'{VIEW}impute = "none"', origin="another.toml")
    other = parse_rules(f'{VIEW}impute = "mode"', origin="one.toml")

    assert one.version == same.version
    assert len({one.version, other.version, default_rules().version}) == 3


def test_a_file_takes_the_place_of_the_rules_that_ship(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(VIEW)

    assert [rule.signal for rule in load_rules(path).signals] == ["view"]
    assert load_rules(None) == default_rules()


def test_a_file_that_is_not_there_or_no_text_is_one_clear_error(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.toml", "No such file"), (tmp_path, "directory")):
        with pytest.raises(InvalidInputError, match=reason) as raised:
            load_rules(path)
        assert str(path) in str(raised.value)
        assert "FEEDBACK_CLEANING_RULES" in str(raised.value)
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        load_rules(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[signals", "rules.toml is not valid TOML"),
        (
            "[signal.view]",
            r"unknown key 'signal'; did you mean 'signals'\? It accepts signals,",
        ),
        ("signals = 3", "signals is 3; it accepts a table"),
        ("[signals]\nview = 3", r"\[signals.view\] is 3; it accepts a table"),
        ("[signals.view]", r"\[signals.view\] event_type is None; it accepts item_impression"),
        ('[signals.view]\nevent_type = "seen"', "event_type is 'seen'; it accepts"),
        ("[signals.view]\nevent_type = [1]", r"event_type is \[1\]; it accepts"),
        (f'{VIEW}scale = "root"', r"\[signals.view\] scale is 'root'; it accepts linear, log"),
        (
            '[signals.click]\nevent_type = "item_clicked"\nscale = "log"',
            r"\[signals.click\] scale is 'log', which needs values from 0 up",
        ),
        (f"{VIEW}limit = 3", "unknown key 'limit'. It accepts event_type, scale, impute"),
        (f'{VIEW}impute = "mean"', "impute is 'mean'; it accepts none, median, mode, or a number"),
        (f"{VIEW}impute = true", "impute is True; it accepts"),
        (f"{VIEW}impute = nan", "impute is nan; it accepts"),
        (f"{VIEW}impute = -1", "impute is -1; the contract accepts 0 to inf for item_viewed"),
        (f'{VIEW}outliers = "iqr"', "outliers is 'iqr'; it accepts a table such as"),
        (
            f'{VIEW}outliers = {{ method = "sigma", limit = 1 }}',
            "outliers method is 'sigma'; it accepts none, iqr, z_score, mad",
        ),
        (f'{VIEW}outliers = {{ method = "mad" }}', "outliers limit is 0.0; it needs a number abov"),
        (f'{VIEW}outliers = {{ method = "mad", limit = -1 }}', "limit is -1; it needs"),
        (f'{VIEW}outliers = {{ method = "mad", limit = "3" }}', "limit is '3'; it needs"),
        (f"{VIEW}outliers = {{ limit = 3 }}", "has a limit or a treatment, but no method"),
        (
            f'{VIEW}outliers = {{ method = "mad", limit = 3, treatment = "drop" }}',
            "outliers treatment is 'drop'; it accepts exclude, cap",
        ),
        (
            f'{VIEW}outliers = {{ method = "mad", limits = 3 }}',
            r"outliers has an unknown key 'limits'; did you mean 'limit'\?",
        ),
        (
            f'{VIEW}normalise = {{ method = "rank" }}',
            "normalise method is 'rank'; it accepts none, min_max, z_score",
        ),
        (
            f'{VIEW}normalise = {{ method = "min_max", minimum = 1 }}',
            "needs both minimum and maximum",
        ),
        (
            f'{VIEW}normalise = {{ method = "min_max", minimum = 5, maximum = 5 }}',
            "minimum must be below maximum",
        ),
        (
            f'{VIEW}normalise = {{ method = "min_max", minimum = 0, maximum = "5" }}',
            "maximum is '5'; it accepts a number",
        ),
        (
            f'{VIEW}normalise = {{ method = "z_score", minimum = 0, maximum = 5 }}',
            "has bounds, which only the method 'min_max' uses",
        ),
        (
            f'{VIEW}scale = "log"\nnormalise = {{ method = "min_max", minimum = -1, maximum = 5 }}',
            "minimum must not be below 0 on the scale 'log'",
        ),
        (
            f'{VIEW}[signals.look]\nevent_type = "item_viewed"',
            r"\[signals.look\] has event_type 'item_viewed', as \[signals.view\] has",
        ),
        ("[encodings.country]\nnear = []", "unknown key 'country'. It accepts device_type, plat"),
        ("[encodings.device_type]\ntv = []", r"needs a table \[encodings.platform\]"),
        (
            "[encodings.device_type]\nunknown = []\n[encodings.platform]",
            r"\[encodings.device_type\] unknown cannot be a category",
        ),
        (
            "[encodings.device_type]\nTV = []\n[encodings.platform]",
            "TV cannot be a category: it accepts lower-case names",
        ),
        (
            '[encodings.device_type]\na = ["x"]\nb = ["X"]\n[encodings.platform]',
            "'x' means both a and b",
        ),
        (
            '[encodings.device_type]\na = "x"\n[encodings.platform]',
            r"\[encodings.device_type\] a is 'x'; it accepts a list",
        ),
        ('[bots]\ncrawler = "bot"', r"\[bots\] crawler is 'bot'; it accepts a list"),
        ('[bots]\ncrawler = [""]', r"\[bots\] crawler is \[''\]; it accepts a list"),
        ("[bots]\ncrawler = ['a\"b']", "a part of a user agent is ASCII without quotes"),
        ("[bots]\ndeclared = []", "declared is the name for events that say so themselves"),
    ],
)
def test_a_bad_rule_says_where_and_what_is_accepted(text: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says) as raised:
        parse_rules(text, origin="rules.toml")
    assert str(raised.value).startswith("rules.toml")
