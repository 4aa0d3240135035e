from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from feedback_platform.adjustment.rules.adjusting import Adjuster
from feedback_platform.adjustment.rules.changes import FlagChanger
from feedback_platform.adjustment.rules.definition import Kind
from feedback_platform.adjustment.rules.evaluation import keep
from feedback_platform.adjustment.rules.ledger import Ledger
from feedback_platform.adjustment.rules.rules_file import default_trigger_rules
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration.sensors import adjusted_lists_sensor
from feedback_platform_tests.adjustment.rules.switches import (
    NOON,
    MemoryFlags,
    observed,
    rule,
    sample,
)
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed, the_error
from feedback_platform_tests.installation import Installation

HIDING = """
[[rules]]
name = "nobody-wants-labs"
metric = "click_through_rate"
scope = { category = "labs" }
window = "2 days"
comparison = "below"
threshold = 0.9
rearm = 0.95
minimum_sample = 20
cooldown = "1 day"
action = { kind = "hide_category", category = "{category}" }
"""


@pytest.fixture
def fired(tmp_path: Path) -> str:
    """The id of what a rule did in the lake at hand."""
    lake = Lake((tmp_path / "data" / "lake").as_uri())
    ledger = Ledger(lake)
    flags = FlagChanger(MemoryFlags({"layout-home": "grid"}))
    rules = [rule(name="low-click-through")]
    seen = observed([(rules[0], sample(20, 1000))], ledger.book)
    adjuster = Adjuster(ledger, {Kind.FLAG: flags}, lambda: NOON)
    keep(lake, rules, seen, adjuster.act(seen))
    (adjustment_id,) = ledger.book.adjustments
    return adjustment_id


def test_before_anything_happened_the_commands_say_what_to_do(run: Run) -> None:
    assert run("adjustments", "list").output.startswith("No rule has fired yet")
    assert parsed(run("adjustments", "list", "--json")) == []

    rules = run("adjustments", "rules").output.splitlines()
    assert rules[0] == (
        "low-click-through: click_through_rate below 0.05 over 1 day, placement each "
        "→ flag layout-{placement} compact"
    )
    assert rules[-1] == "Not evaluated yet; run `feedback-platform process`."


# By hand: Wilson's interval of 20 in 1,000 with Student's quantile of 999, 1.9623.
def test_the_list_says_what_changed_and_why(run: Run, fired: str) -> None:
    finished = run("adjustments", "list")

    assert (finished.code, finished.errors) == (0, "")
    assert " ".join(finished.output.split()) == (
        f"{fired} applied 2026-03-01 12:00 low-click-through "
        "flag layout-home: grid → list "
        "click_through_rate at placement=home is 0.02 (0.01297 to 0.03071 at 0.95, n = 1000), "
        "below 0.05"
    )


def test_the_list_as_json_has_the_evidence(run: Run, fired: str) -> None:
    (row,) = parsed(run("adjustments", "list", "--json"))

    assert (row["adjustment_id"], row["status"]) == (fired, "applied")
    assert (row["flag"], row["before"], row["after"]) == ("layout-home", "grid", "list")
    assert (row["evidence"]["numerator"], row["evidence"]["denominator"]) == (20, 1000)


@pytest.mark.usefixtures("fired")
def test_the_rules_are_shown_with_what_they_found(run: Run) -> None:
    output = run("adjustments", "rules").output

    assert (
        "placement=home: 0.02 (0.01297 to 0.03071, n = 1,000)  "
        "fired: layout-home from grid to list, quiet before 2026-03-03 12:00"
    ) in output
    (shown,) = parsed(run("adjustments", "rules", "--json"))
    assert shown["name"] == default_trigger_rules()[0].name
    (place,) = shown["places"]
    assert (place["scope"], place["is_armed"]) == ("placement=home", False)


def test_what_cannot_be_undone_is_said_before_anything_runs(run: Run, fired: str) -> None:
    meant = the_error(run("adjustments", "undo", fired[:-1], "--reason", "x"))

    assert f"did you mean {fired}?" in meant
    assert "Say why, with --reason" in the_error(run("adjustments", "undo", fired, "--reason", " "))


def test_a_person_takes_back_what_a_rule_did_and_the_lists_follow(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(HIDING)
    monkeypatch.setenv("FEEDBACK_TRIGGER_RULES", str(path))
    installation = Installation(tmp_path / "data")
    installation.settings = replace(installation.settings, trigger_rules=path)
    installation.simulate(users=60, days=2)
    installation.process()
    hidden = lists_wanted(installation)
    (row,) = parsed(run("adjustments", "list", "--json"))
    assert (row["action"], row["flag"], row["after"]) == ("hide_category", "labs", "hidden")

    undone = parsed(
        run("adjustments", "undo", row["adjustment_id"], "--reason", "we want labs", "--json")
    )

    assert (undone["was"], undone["status"], undone["now"]) == ("applied", "reverted", "normal")
    (published,) = installation.query("from metrics.adjustments").to_dicts()
    assert (published["status"], published["reason"]) == ("reverted", "we want labs")
    assert hidden == f"{row['adjustment_id']}-applied"
    assert lists_wanted(installation) == f"{row['adjustment_id']}-reverted"


def lists_wanted(installation: Installation) -> str:
    """For what a run is to make the lists anew."""
    platform = installation.platform
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, resources={"platform": platform})
        answer = adjusted_lists_sensor(context)
    assert isinstance(answer, dg.SensorResult)
    (request,) = answer.run_requests or []
    return request.tags["adjustment"]
