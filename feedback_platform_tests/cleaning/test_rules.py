"""Rules against figures worked out by hand.

Reference, on ln(1 + value): median 3, mode 2.5, quartiles 2 and 4, mean 3, deviation 0.5, the first
and last percentile at 1 and 5, median absolute deviation 0.4.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from feedback_platform.cleaning.configuration import CleaningRules, default_rules, parse_rules
from feedback_platform.cleaning.engines.polars import clean_objects
from feedback_platform.cleaning.reference import Reference
from feedback_platform_tests.cleaning.lines import REFERENCE, event, parsed

RULES = default_rules()


def _cleaned(
    line: dict[str, Any],
    rules: CleaningRules = RULES,
    reference: Reference = REFERENCE,
) -> dict[str, Any]:
    """The one clean row of one line."""
    return clean_objects([parsed(line)], rules, reference).clean.row(0, named=True)


def _use(value: float | None, **fields: Any) -> dict[str, Any]:
    return event(event_type="item_used", value=value, **fields)


def _uses(settings: str) -> CleaningRules:
    """Rules for uses on the scale of the reference."""
    text = f'[signals.use]\nevent_type = "item_used"\nscale = "log"\n{settings}'
    return parse_rules(text, origin="test")


def _outliers(method: str, limit: float, treatment: str = "exclude") -> CleaningRules:
    settings = f'method = "{method}", limit = {limit}, treatment = "{treatment}"'
    return _uses(f'outliers = {{ {settings} }}\nnormalise = {{ method = "min_max" }}')


def _with(**figures: Any) -> Reference:
    """The reference with other figures."""
    changed = tuple(replace(entry, **figures) for entry in REFERENCE.statistics)
    return replace(REFERENCE, statistics=changed)


def _at(hour: int, minute: int) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("occurred", "sent", "corrected", "offset"),
    [
        ("09:00", "09:10", _at(9, 50), 3000.0),  # ten minutes old when it was sent
        ("11:00", "11:10", _at(9, 50), -4200.0),  # the same by a clock that is ahead
        ("09:20", "09:10", _at(10, 0), 3000.0),  # nothing happened after it was received
        ("09:00", None, _at(9, 0), None),
        ("10:30", None, _at(10, 0), None),
        (None, "09:10", _at(10, 0), 3000.0),
        (None, None, _at(10, 0), None),
    ],
)
def test_the_senders_clock_is_corrected(
    occurred: str | None, sent: str | None, corrected: datetime, offset: float | None
) -> None:
    times: dict[str, Any] = {
        name: f"2026-03-01T{text}:00Z" if text else None
        for name, text in (("occurred_at", occurred), ("sent_at", sent), ("received_at", "10:00"))
    }

    row = _cleaned(event(**times))

    assert row["occurred_at"] == corrected
    assert row["clock_offset_seconds"] == offset


def test_a_missing_value_becomes_the_median() -> None:
    row = _cleaned(_use(None))

    assert row["value"] is None
    assert row["cleaned_value"] == pytest.approx(math.expm1(3))
    assert (row["is_imputed"], row["imputation_rule"]) == (True, "median")
    assert row["normalised_value"] == pytest.approx(0.5)
    assert not row["is_outlier"]


@pytest.mark.parametrize(
    ("impute", "value", "rule"),
    [('"mode"', math.expm1(2.5), "mode"), ("7", 7.0, "constant"), ('"none"', None, None)],
)
def test_a_missing_value_may_become_something_else(
    impute: str, value: float | None, rule: str | None
) -> None:
    row = _cleaned(_use(None), _uses(f"impute = {impute}"))

    assert row["cleaned_value"] == (None if value is None else pytest.approx(value))
    assert row["imputation_rule"] == rule
    assert row["is_imputed"] is (rule is not None)


def test_a_value_that_is_there_is_left_alone() -> None:
    row = _cleaned(_use(12.5))

    assert (row["value"], row["cleaned_value"]) == (12.5, 12.5)
    assert (row["is_imputed"], row["imputation_rule"]) == (False, None)
    assert (row["is_outlier"], row["outlier_rule"], row["outlier_bound"]) == (False, None, None)
    assert row["reference_version"] == "by-hand"
    assert row["signal"] == "use"


@pytest.mark.parametrize(
    ("event_type", "value", "bound", "rule"),
    [
        # Uses: two interquartile ranges above 4 are 8; 2 - 4 is below any value.
        ("item_used", math.expm1(8) * 1.001, math.expm1(8), "iqr"),
        ("item_used", math.expm1(8) * 0.999, None, None),
        ("item_used", 0, None, None),
        # Views: four deviations from 3 are 1 and 5.
        ("item_viewed", math.expm1(5) * 1.001, math.expm1(5), "z_score"),
        ("item_viewed", math.expm1(1) * 0.999, math.expm1(1), "z_score"),
        ("item_viewed", math.expm1(5) * 0.999, None, None),
    ],
)
def test_an_outlier_is_flagged_with_the_bound_that_it_crossed(
    event_type: str, value: float, bound: float | None, rule: str | None
) -> None:
    row = _cleaned(event(event_type=event_type, value=value))

    assert row["is_outlier"] is (bound is not None)
    assert row["outlier_rule"] == rule
    assert row["outlier_bound"] == (None if bound is None else pytest.approx(bound))
    assert row["cleaned_value"] == value


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        # 3 * 1.4826 * 0.4 from the median: 1.22088 and 4.77912.
        (math.expm1(1.2208), math.expm1(1.22088)),
        (math.expm1(1.2209), None),
        (math.expm1(4.7791), None),
        (math.expm1(4.7792), math.expm1(4.77912)),
    ],
)
def test_mad_measures_from_the_median_in_scaled_median_deviations(
    value: float, bound: float | None
) -> None:
    row = _cleaned(_use(value), _outliers("mad", 3))

    assert row["is_outlier"] is (bound is not None)
    assert row["outlier_rule"] == (None if bound is None else "mad")
    assert row["outlier_bound"] == (None if bound is None else pytest.approx(bound))


@pytest.mark.parametrize(
    ("value", "cleaned", "share"),
    [
        (math.expm1(4.9), math.expm1(4.77912), 3.77912 / 4),
        (math.expm1(4.7), math.expm1(4.7), 0.925),
    ],
)
def test_a_capped_outlier_becomes_the_bound_and_the_raw_value_stays(
    value: float, cleaned: float, share: float
) -> None:
    row = _cleaned(_use(value), _outliers("mad", 3, "cap"))

    is_outlier = cleaned != value
    assert row["value"] == value
    assert row["cleaned_value"] == pytest.approx(cleaned)
    assert row["normalised_value"] == pytest.approx(share)
    assert row["is_outlier"] is is_outlier
    assert row["outlier_treatment"] == ("cap" if is_outlier else None)


def test_a_low_outlier_is_capped_at_the_lower_bound() -> None:
    row = _cleaned(_use(0), _outliers("mad", 3, "cap"))

    assert row["cleaned_value"] == pytest.approx(math.expm1(1.22088))
    assert row["outlier_bound"] == row["cleaned_value"]


def test_an_excluded_outlier_keeps_its_value_and_says_so() -> None:
    row = _cleaned(_use(1e6), _outliers("mad", 3))

    assert (row["cleaned_value"], row["outlier_treatment"]) == (1e6, "exclude")


@pytest.mark.parametrize(
    ("method", "figures"),
    [
        ("mad", {"median_deviation": 0.0}),
        ("mad", {"median_deviation": None}),  # fitted by an earlier release
        ("iqr", {"lower_quartile": 3.0, "upper_quartile": 3.0}),
        ("z_score", {"deviation": 0.0}),
        ("z_score", {"deviation": math.nan, "mean": math.inf}),
    ],
)
def test_where_the_reference_has_no_spread_nothing_is_an_outlier(
    method: str, figures: dict[str, Any]
) -> None:
    for value in (0, math.expm1(3), math.expm1(3) * 1.0001, 1e9):
        row = _cleaned(_use(value), _outliers(method, 3), _with(**figures))
        assert (row["is_outlier"], row["outlier_rule"]) == (False, None)


def test_a_bound_beyond_all_numbers_is_never_crossed() -> None:
    # Half a million on the logarithmic scale: e to that power is no double any more.
    row = _cleaned(_use(1e300), _outliers("mad", 3), _with(median_deviation=1e5))

    assert not row["is_outlier"]


@pytest.mark.parametrize("method", ["min_max", "z_score"])
def test_figures_that_are_no_numbers_normalise_nothing(method: str) -> None:
    rules = _uses(f'normalise = {{ method = "{method}" }}')
    broken = _with(mean=math.inf, deviation=math.nan, low=math.nan, high=math.inf)

    row = _cleaned(_use(3), rules, broken)

    assert (row["normalised_value"], row["normalisation_rule"]) == (None, None)


def test_a_value_beyond_bounds_that_were_given_is_the_nearest_of_them() -> None:
    rules = _uses('normalise = { method = "min_max", minimum = 1, maximum = 3 }')

    shares = [_cleaned(_use(value), rules)["normalised_value"] for value in (0, 1, 3, 1e9)]

    assert shares == [0.0, 0.0, pytest.approx(1.0), 1.0]


@pytest.mark.parametrize(
    ("value", "share"),
    [(math.expm1(1), 0.0), (math.expm1(2), 0.25), (math.expm1(5), 1.0), (0, 0.0), (1e9, 1.0)],
)
def test_min_max_is_the_share_of_the_way_from_low_to_high(value: float, share: float) -> None:
    row = _cleaned(_use(value))

    assert row["normalised_value"] == pytest.approx(share)
    assert row["normalisation_rule"] == "min_max"


@pytest.mark.parametrize(
    ("deviations", "below"), [(-2, 0.0228), (-1, 0.1587), (0, 0.5), (1, 0.8413), (2, 0.9772)]
)
def test_a_z_score_becomes_the_share_of_a_normal_distribution_below(
    deviations: int, below: float
) -> None:
    row = _cleaned(event(event_type="item_viewed", value=math.expm1(3 + 0.5 * deviations)))

    assert row["normalised_value"] == pytest.approx(below, abs=1e-4)
    assert row["normalisation_rule"] == "z_score"


@pytest.mark.parametrize(("stars", "share"), [(0.5, 0.0), (2.75, 0.5), (5, 1.0)])
def test_ratings_go_from_half_a_star_to_five(stars: float, share: float) -> None:
    row = _cleaned(event(event_type="item_rated", value=stars))

    assert row["normalised_value"] == share


@pytest.mark.parametrize("event_type", ["item_used", "item_viewed"])
def test_where_all_values_are_alike_every_value_is_in_the_middle(event_type: str) -> None:
    flat = _with(low=3.0, high=3.0, deviation=0.0)

    row = _cleaned(event(event_type=event_type, value=math.expm1(3.5)), reference=flat)

    assert row["normalised_value"] == 0.5


@pytest.mark.parametrize("event_type", ["item_clicked", "item_liked", "item_converted"])
def test_a_signal_without_a_value_is_not_normalised(event_type: str) -> None:
    row = _cleaned(event(event_type=event_type))

    assert row["signal"] is not None
    assert (row["normalised_value"], row["normalisation_rule"]) == (None, None)


def test_without_a_reference_nothing_is_imputed_or_judged() -> None:
    nothing = Reference("nothing", REFERENCE.effective_from, 0, ())

    for value in (None, 1e12):
        row = _cleaned(_use(value), reference=nothing)
        assert row["cleaned_value"] == value
        assert (row["is_imputed"], row["is_outlier"]) == (False, False)
        assert row["normalised_value"] is None


def test_what_is_no_signal_has_no_rules() -> None:
    row = _cleaned(event(event_type="item_impression"))

    assert (row["signal"], row["normalised_value"], row["is_outlier"]) == (None, None, False)


@pytest.mark.parametrize(
    ("device", "category"),
    [
        ("desktop", "desktop"),
        ("Mobile", "mobile"),
        ("TABLET", "tablet"),
        ("smart fridge", "other"),
        ("SmartPhone", "mobile"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_every_device_has_a_place(device: str | None, category: str) -> None:
    row = _cleaned(_use(None, device_type=device))

    assert row["device_category"] == category
    assert row["device_type"] == (device or None)
    assert row["is_imputed"]  # the reference has statistics for each of them


def test_a_device_is_measured_by_its_own_statistics() -> None:
    own = [replace(s, median=2.0, device="tablet") for s in REFERENCE.statistics]
    tablet = replace(REFERENCE, statistics=(*REFERENCE.statistics, *own))

    on_tablet = _cleaned(_use(None, device_type="tablet"), reference=tablet)
    on_mobile = _cleaned(_use(None, device_type="mobile"), reference=tablet)

    assert on_tablet["cleaned_value"] == pytest.approx(math.expm1(2))
    assert on_mobile["cleaned_value"] == pytest.approx(math.expm1(3))


@pytest.mark.parametrize(
    ("platform", "category"),
    [
        ("iOS", "ios"),
        ("Mac OS X", "macos"),
        ("analytics.js", "web"),
        ("BeOS", "other"),
        (None, "unknown"),
    ],
)
def test_every_platform_has_a_place(platform: str | None, category: str) -> None:
    row = _cleaned(event(platform=platform))

    assert (row["platform"], row["platform_category"]) == (platform, category)


def test_a_row_names_the_rules_that_made_it() -> None:
    assert _cleaned(event())["rules_version"] == default_rules().version


GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
PHONE = "Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 Mobile Safari/537.36"


@pytest.mark.parametrize(
    ("properties", "rule"),
    [
        ({"context": {"userAgent": GOOGLEBOT}}, "crawler"),
        ({"user_agent": "Mozilla/5.0 HeadlessChrome/126.0"}, "headless_browser"),
        ({"user_agent": "CURL/8.5.0"}, "script"),
        ({"is_bot": True}, "declared"),
        ({"context": {"userAgent": PHONE}}, None),
        ({"is_bot": False}, None),
        ({"is_bot": "true"}, None),
        ({"comment": GOOGLEBOT}, None),
        ({"comment": '"user_agent": "curl/8"'}, None),  # a user's own words are no user agent
        ({}, None),
        (None, None),
    ],
)
def test_a_bot_is_known_by_its_user_agent_or_its_own_word(
    properties: dict[str, Any] | None, rule: str | None
) -> None:
    row = _cleaned(event(properties=properties))

    assert (row["is_bot"], row["bot_rule"]) == (rule is not None, rule)


def test_without_patterns_only_a_declared_bot_is_one() -> None:
    rules = parse_rules("[bots]\nmine = []", origin="test")

    assert not _cleaned(event(properties={"user_agent": GOOGLEBOT}), rules)["is_bot"]
    assert _cleaned(event(properties={"is_bot": True}), rules)["is_bot"]


def test_parts_of_a_user_agent_are_plain_text() -> None:
    rules = parse_rules('[bots]\nmine = ["probe (v.1)", "a|b*"]', origin="test")

    def is_bot(agent: str) -> bool:
        return bool(_cleaned(event(properties={"user_agent": agent}), rules)["is_bot"])

    assert is_bot("X Probe (v.1)")
    assert is_bot("A|B*")
    assert not is_bot("probe v21")
    assert not is_bot("aaa")
