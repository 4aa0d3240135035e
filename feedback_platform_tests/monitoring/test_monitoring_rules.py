from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.monitoring.drift import DriftEvent
from feedback_platform.monitoring.monitoring_rules import (
    Consequence,
    default_monitoring_rules,
    has_consequence,
    load_monitoring_rules,
    parse_monitoring_rules,
)
from feedback_platform.monitoring.streams import STREAMS

EVENT = DriftEvent(
    event_id="a1",
    stream="click_through",
    method="adwin",
    detected_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    width=1_600,
    before_mean=0.10,
    after_mean=0.05,
    action="record",
)


def test_every_stream_has_a_rule_and_every_rule_a_stream() -> None:
    assert default_monitoring_rules().drift.keys() == STREAMS.keys()


def test_a_large_change_has_the_consequences_of_its_rule_and_a_small_one_is_recorded() -> None:
    rules = default_monitoring_rules()

    assert rules.action(EVENT) == "retrain, alert"
    assert rules.action(replace(EVENT, after_mean=0.111)) == "retrain, alert"
    assert rules.action(replace(EVENT, after_mean=0.109)) == "record"


def test_a_stream_of_a_model_version_has_the_rule_of_its_kind() -> None:
    rules = parse_monitoring_rules(
        '[drift.model_hit_rate]\nconsequences = ["freeze_promotion"]\n', origin="own.toml"
    )

    assert rules.action(replace(EVENT, stream="model_hit_rate:v7")) == "freeze_promotion"


def test_a_feature_has_the_consequences_of_all_features() -> None:
    small = replace(EVENT, stream="feature:user.average_score", after_mean=0.1)

    assert default_monitoring_rules().action(small) == "alert"


def test_a_consequence_is_found_by_its_whole_word() -> None:
    assert has_consequence("retrain, freeze_promotion", Consequence.FREEZE_PROMOTION)
    assert not has_consequence("record", Consequence.ALERT)
    assert not has_consequence("alert", Consequence.RETRAIN)


def test_what_a_file_leaves_out_is_as_shipped(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[drift.dwell]\nconsequences = []\n[freeze]\nlasts = "12 hours"\n')

    rules, shipped = load_monitoring_rules(path), default_monitoring_rules()

    assert rules.drift["dwell"].consequences == ()
    assert rules.drift["dwell"].smallest_change == shipped.drift["dwell"].smallest_change
    assert rules.freeze_lasts == timedelta(hours=12)
    assert (rules.features, rules.alerts) == (shipped.features, shipped.alerts)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[drift", "is not valid TOML"),
        ("[drif.dwell]", "unknown key 'drif'; did you mean 'drift'"),
        ("drift = 3", r"\[drift\] is 3; it accepts a table"),
        ("[drift.dwel]", "unknown key 'dwel'; did you mean 'dwell'"),
        ("[drift.dwell]\nconsequence = []", "did you mean 'consequences'"),
        ('[drift.dwell]\nconsequences = ["retrian"]', "a list of any of retrain, freeze_promotion"),
        ('[drift.dwell]\nconsequences = "alert"', "consequences is 'alert'; it accepts a list"),
        ("[drift.dwell]\nsmallest_change = 2", "a number from 0 to 1"),
        ("[features]\nlooks = 0", "a whole number from 1 up"),
        ('[freeze]\nlasts = "soon"', "lasts is 'soon'; it accepts a text such as"),
        ("[alerts]\nquarantine_share = 0", "a number above 0 and below 1"),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(InvalidInputError, match=told):
        parse_monitoring_rules(text, origin="own.toml")
