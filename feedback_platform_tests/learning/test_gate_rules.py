from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.gate_rules import (
    GateRules,
    default_gate_rules,
    load_gate_rules,
    parse_gate_rules,
)


def test_the_rules_that_ship() -> None:
    assert load_gate_rules(None) == GateRules(
        level=0.95,
        margin=0.05,
        largest_coverage_drop=0.2,
        largest_popularity_rise=0.1,
        smallest_segment=50,
        segment_margin=0.05,
        fewest_impressions=1000,
        smallest_click_coverage=0.8,
        click_margin=0.05,
        oldest_champion=timedelta(days=3),
        refusals=3,
    )


def test_an_entry_that_a_file_leaves_out_is_as_shipped(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text("[champion]\nmargin = 0.01\n[freshness]\noldest_days = 0.5\n")

    assert load_gate_rules(path) == replace(
        default_gate_rules(), margin=0.01, oldest_champion=timedelta(hours=12)
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("margin = ", "^mine.toml is not valid TOML"),
        (
            "[champion]\nmargni = 1",
            r"^mine\.toml: \[champion\] has an unknown key 'margni'; did you mean 'mar",
        ),
        ("[covrage]", "^mine.toml has an unknown key 'covrage'; did you mean 'coverage'"),
        ("coverage = 0.2", r"coverage is 0.2; it accepts a table \[coverage\]"),
        ("[champion]\nmargin = 1.5", r"\[champion\] margin is 1.5; it accepts a number from 0 to"),
        ("[champion]\nlevel = 95", r"level is 95; it accepts a number above 0.5 and below 1"),
        ("[champion]\nlevel = true", r"level is True; it accepts a number"),
        ("[coverage]\nlargest_drop = nan", r"\[coverage\] largest_drop is nan; it accepts"),
        ("[popularity_bias]\nlargest_rise = -1", "largest_rise is -1; it accepts a number from 0"),
        ("[segments]\nsmallest = 2.5", "smallest is 2.5; it accepts a whole number from 1 up"),
        ("[clicks]\nmargin = 2", r"\[clicks\] margin is 2; it accepts a number from 0 to 1"),
        ("[freshness]\nrefusals = 0", "refusals is 0; it accepts a whole number from 1 up"),
        ('[freshness]\noldest_days = "a week"', "oldest_days is 'a week'; it accepts a number"),
    ],
)
def test_an_error_names_the_file_the_table_the_key_and_what_is_accepted(
    text: str, problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        parse_gate_rules(text, origin="mine.toml")


def test_a_file_that_cannot_be_read_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.toml cannot be read .*FEEDBACK_GATE_RULES"):
        load_gate_rules(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff")
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        load_gate_rules(binary)
