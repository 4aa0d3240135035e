from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from feedback_platform.adjustment.flag_switch import StoredFlags
from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.definitions_file import shipped_definitions
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.adjustment.rules.changes import (
    CannotChangeError,
    Cause,
    FlagChanger,
)
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.adjustment.rules.rules_file import load_trigger_rules
from feedback_platform.lake.store import Lake
from feedback_platform.simulation.exposure import PLACEMENTS
from feedback_platform_tests.adjustment.flags.definitions import ADA, NOON, flag

CAUSE = Cause("20260301T120000-low-click-through-home", "low-click-through", "home", "few click")
TO_SOME = {"when": [{"attribute": "plan", "equals": "pro"}], "variant": "grid"}


@pytest.fixture
def flags(tmp_path: Path) -> Flags:
    kept = Flags(Lake(tmp_path.as_uri()))
    off = flag(key="off", state="disabled")
    kept.change(lambda _: {"layout": flag(TO_SOME), "off": off}, ADA)
    return kept


def changer(flags: Flags) -> FlagChanger:
    return FlagChanger(StoredFlags(flags, lambda: NOON))


def test_a_rule_switches_what_everybody_gets_and_takes_it_back(flags: Flags) -> None:
    change = changer(flags).plan(Action(Kind.FLAG, subject="layout", variant="cards"))
    assert (change.before, change.after) == ("list", "cards")

    changer(flags).make(change, CAUSE)
    changer(flags).make(change, CAUSE)

    switched = flags.refresh().flags["layout"].flag
    assert switched.default == "cards"
    assert (
        switched.rules
        == flag({"when": [{"attribute": "plan", "equals": "pro"}], "variant": "grid"}).rules
    )
    latest = flags.history("layout")[-1]
    assert latest.revision == 2
    assert latest.author.by.startswith("rule:low-click-through (")
    assert latest.author.reason == "few click"

    changer(flags).take_back(change, CAUSE)
    assert flags.refresh().flags["layout"].flag.default == "list"


def test_the_rule_that_ships_finds_its_flags_among_those_that_ship() -> None:
    (rule,) = load_trigger_rules(None, has_webhook=False)
    shipped = shipped_definitions()
    for placement in PLACEMENTS:
        found = shipped[rule.action.subject.format(placement=placement.name)]
        assert rule.action.variant in found.variants
        assert found.default != rule.action.variant


def test_a_flag_that_is_missing_or_disabled_is_not_switched(flags: Flags) -> None:
    for key in ("nosuch", "off"):
        with pytest.raises(CannotChangeError, match=f"no enabled flag '{key}'"):
            changer(flags).plan(Action(Kind.FLAG, subject=key, variant="cards"))
        with pytest.raises(CannotChangeError, match=f"no enabled flag '{key}'"):
            StoredFlags(flags, lambda: NOON).switch(
                key, "cards", who="rule:x", why="y", expected="list"
            )


def test_what_a_person_switched_meanwhile_stays(flags: Flags) -> None:
    change = changer(flags).plan(Action(Kind.FLAG, subject="layout", variant="cards"))
    flags.edit("layout", lambda now: flag(key=now.key, default="grid"), ADA)

    with pytest.raises(CannotChangeError, match="somebody else switched it"):
        changer(flags).make(change, CAUSE)
    with pytest.raises(CannotChangeError, match="is 'grid' and not 'list'"):
        StoredFlags(flags, lambda: NOON).switch(
            "layout", "cards", who="rule:x", why="y", expected="list"
        )


def test_what_was_switched_before_the_process_died_is_not_switched_against_a_person(
    flags: Flags,
) -> None:
    change = changer(flags).plan(Action(Kind.FLAG, subject="layout", variant="cards"))
    changer(flags).make(change, CAUSE)
    flags.edit("layout", lambda now: with_default(now, "list"), ADA)

    changer(flags).make(change, CAUSE)

    assert flags.refresh().flags["layout"].flag.default == "list"
    assert len(flags.history("layout")) == 3


def test_a_change_whose_author_no_history_keeps_cannot_be_made(flags: Flags) -> None:
    change = changer(flags).plan(Action(Kind.FLAG, subject="layout", variant="cards"))

    with pytest.raises(CannotChangeError, match="The author of a change is"):
        changer(flags).make(change, replace(CAUSE, rule="x" * 200))


def test_a_variant_that_the_flag_does_not_have_is_refused(flags: Flags) -> None:
    change = changer(flags).plan(Action(Kind.FLAG, subject="layout", variant="carousel"))
    with pytest.raises(CannotChangeError, match="carousel"):
        changer(flags).make(change, CAUSE)
