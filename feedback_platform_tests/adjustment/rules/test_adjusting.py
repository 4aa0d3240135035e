from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.adjustment.rules.adjusting import Adjuster
from feedback_platform.adjustment.rules.book import Adjustment, Book, Status
from feedback_platform.adjustment.rules.changes import Cause, Change, Changer, FlagChanger
from feedback_platform.adjustment.rules.definition import EACH, Action, Kind, OnExpiry, Rule, Watch
from feedback_platform.adjustment.rules.intervals import Sample
from feedback_platform.adjustment.rules.ledger import (
    Ledger,
    LedgerConflictError,
    adjustments_table,
    read_book,
)
from feedback_platform.adjustment.rules.observing import Observation
from feedback_platform.errors import InvalidInputError, LakeUnavailableError
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.rules.switches import (
    NOON,
    MemoryFlags,
    guard,
    observed,
    rule,
    sample,
)

BAD, WELL = sample(20, 1000), sample(90, 1000)
GUARDED = rule(watch=Watch((guard(),), timedelta(hours=72), OnExpiry.KEEP))
NORMAL, WORSE, SAME = sample(300, 1000), sample(450, 1000), sample(290, 1000)


@dataclass
class World:
    """A product with flags, a lake, and one process after the other that evaluates its rules."""

    lake: Lake
    flags: MemoryFlags = field(
        default_factory=lambda: MemoryFlags({"layout-home": "grid", "layout-sidebar": "grid"})
    )
    hours: float = 0
    problems: list[str] = field(default_factory=list)
    changers: dict[Kind, Changer] = field(default_factory=dict)

    def adjuster(self) -> tuple[Ledger, Adjuster]:
        ledger = Ledger(self.lake)
        changers = {Kind.FLAG: FlagChanger(self.flags), **self.changers}
        return ledger, Adjuster(ledger, changers, self.clock)

    @property
    def newest(self) -> datetime:
        """When the newest event happened."""
        return NOON + timedelta(hours=self.hours)

    def clock(self) -> datetime:
        return NOON + timedelta(hours=self.hours, minutes=1)

    def evaluate(self, rules: list[tuple[Rule, Sample]], *, hours: float, **more: Any) -> list[str]:
        """One evaluation, so many hours after noon; return what came of each rule."""
        self.hours = hours
        ledger, adjuster = self.adjuster()
        adjuster.finish()
        answers = adjuster.act(observed(rules, ledger.book, hours=hours, **more))
        ledger.keep_book()
        self.problems += adjuster.problems
        return [answer for _, answer in answers]

    @property
    def book(self) -> Book:
        return read_book(self.lake)

    @property
    def only(self) -> Adjustment:
        (adjustment,) = self.book.adjustments.values()
        return adjustment

    def statuses(self) -> list[str]:
        return [each.status.value for each in self.book.adjustments.values()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Lake((tmp_path / "lake").as_uri()))


def test_a_breach_switches_the_flag_and_says_why(world: World) -> None:
    (answer,) = world.evaluate([(rule(), BAD)], hours=0)

    assert answer == "fired: layout-home from grid to list"
    assert world.flags.variants == {"layout-home": "list", "layout-sidebar": "grid"}
    (row,) = adjustments_table(world.book).to_dicts()
    evidence = row.pop("evidence")
    assert row == {
        "adjustment_id": world.only.adjustment_id,
        "rule": "few-clicks",
        "scope": "placement=home",
        "action": "flag",
        "flag": "layout-home",
        "before": "grid",
        "after": "list",
        "status": "applied",
        "reason": "",
        "at": NOON + timedelta(minutes=1),
        "undone_at": None,
    }
    assert '"numerator": 20, "denominator": 1000, "users": 1000, "value": 0.02' in evidence
    assert '"level": 0.95, "comparison": "below", "threshold": 0.05' in evidence
    assert '"window_from": "2026-02-28T11:30:00+00:00"' in evidence
    assert '"window_to": "2026-03-01T11:30:00+00:00"' in evidence
    assert '"newest_batch": 1' in evidence
    assert world.only.evidence["high"] < 0.05


def test_a_breach_that_lasts_fires_once(world: World) -> None:
    answers = [
        answer
        for hours in (0, 1, 30, 49, 100, 1000)
        for answer in world.evaluate([(rule(), BAD)], hours=hours)
    ]

    assert answers[1:] == ["fired, not back to normal yet"] * 5
    assert len(world.flags.switches) == 1


def test_a_second_breach_after_it_was_well_fires_again_but_not_in_its_cooldown(
    world: World,
) -> None:
    world.evaluate([(rule(), BAD)], hours=0)
    world.flags.variants["layout-home"] = "grid"

    answers = [
        world.evaluate([(rule(), measured)], hours=hours)[0]
        for hours, measured in ((10, WELL), (30, BAD), (47, BAD), (48, BAD))
    ]

    assert answers == [
        "back to normal, armed again",
        "in its cooldown",
        "in its cooldown",
        "fired: layout-home from grid to list",
    ]
    assert len(world.book.adjustments) == 2


def test_each_place_has_a_state_of_its_own(world: World) -> None:
    world.evaluate([(rule(), BAD)], hours=0)

    world.evaluate([(rule(), BAD)], hours=1, place={"placement": "sidebar"})

    assert world.flags.variants == {"layout-home": "list", "layout-sidebar": "list"}


def test_a_place_of_a_long_name_has_a_reason_that_can_be_kept(world: World) -> None:
    flag = rule(action=Action(Kind.FLAG, "layout-home", "list"))

    (answer,) = world.evaluate([(flag, BAD)], hours=0, place={"placement": "x" * 5_000})

    assert answer == "fired: layout-home from grid to list"


def test_what_is_so_already_is_left_alone(world: World) -> None:
    world.flags.variants["layout-home"] = "list"

    (answer,) = world.evaluate([(rule(), BAD)], hours=0)

    assert answer == "beyond the threshold; layout-home is list already"
    assert world.book.adjustments == {}


def test_without_flags_a_rule_harms_nobody_and_says_what_is_missing(tmp_path: Path) -> None:
    world = World(Lake(tmp_path.as_uri()), changers={Kind.FLAG: FlagChanger(MemoryFlags())})

    (answer,) = world.evaluate([(rule(), BAD)], hours=0)

    assert answer == "would fire, but: There is no enabled flag 'layout-home'."
    assert world.book.sequence == 0


def test_a_guard_that_got_worse_undoes_the_change_with_evidence(world: World) -> None:
    world.evaluate([(GUARDED, BAD)], hours=0)

    guards = {"bounce_rate": (NORMAL, WORSE)}
    world.evaluate([(GUARDED, BAD)], hours=6, guards=guards)

    assert world.flags.variants["layout-home"] == "grid"
    adjustment = world.only
    assert adjustment.status is Status.REVERTED
    assert adjustment.reason.startswith("bounce_rate went from 0.3 to 0.45 (by +0.1")
    assert adjustment.undone_at == NOON + timedelta(hours=6, minutes=1)
    (compared,) = adjustment.undo_evidence["compared"]
    assert (compared["outcome"], compared["margin"]) == ("worse", 0.05)
    assert compared["before"]["denominator"] == compared["after"]["denominator"] == 1000
    # It is not tried again and again while the breach lasts.
    assert world.evaluate([(GUARDED, BAD)], hours=90) == ["fired, not back to normal yet"]
    assert world.flags.variants["layout-home"] == "grid"


def test_a_guard_that_holds_ends_the_watch(world: World) -> None:
    world.evaluate([(GUARDED, BAD)], hours=0)
    guards = {"bounce_rate": (NORMAL, SAME)}

    world.evaluate([], hours=6, guards=guards)
    assert world.only.is_watched
    world.evaluate([], hours=25, guards=guards)

    assert (world.only.status, world.only.is_watched) == (Status.APPLIED, False)
    assert world.only.reason == "Its guards hold."
    world.evaluate([], hours=26, guards={})
    assert world.flags.variants["layout-home"] == "list"


@pytest.mark.parametrize(
    ("on_expiry", "status", "variant", "reason"),
    [
        (OnExpiry.KEEP, Status.APPLIED, "list", "Kept undecided after 3 days."),
        (OnExpiry.UNDO, Status.EXPIRED, "grid", "Its guards had not decided within 3 days."),
    ],
)
def test_what_guards_cannot_tell_is_kept_or_expires_as_the_rule_says(
    world: World, on_expiry: OnExpiry, status: Status, variant: str, reason: str
) -> None:
    watch = replace(GUARDED.watch, on_expiry=on_expiry)
    world.evaluate([(rule(watch=watch), BAD)], hours=0)
    too_few = {"bounce_rate": (NORMAL, sample(5, 10))}

    world.evaluate([], hours=71, guards=too_few)
    assert world.only.is_watched
    world.evaluate([], hours=72, guards=too_few)

    assert (world.only.status, world.only.reason) == (status, reason)
    assert world.flags.variants["layout-home"] == variant
    table = adjustments_table(world.book)
    assert table["status"].to_list() == [status.value]
    assert "Infinity" not in table["evidence"].item()


def test_a_change_without_guards_may_be_for_a_while(world: World) -> None:
    watch = Watch((), timedelta(hours=72), OnExpiry.UNDO)
    world.evaluate([(rule(watch=watch), BAD)], hours=0)

    world.evaluate([], hours=72)

    assert world.flags.variants["layout-home"] == "grid"
    assert world.only.status is Status.EXPIRED


def test_a_person_takes_back_what_a_rule_did_once(world: World) -> None:
    world.evaluate([(rule(), BAD)], hours=0)
    _, adjuster = world.adjuster()

    undone = adjuster.undo(world.only.adjustment_id, "complaints", world.newest)
    again = world.adjuster()[1].undo(world.only.adjustment_id, "more complaints", world.newest)

    assert (undone.status, undone.reason) == (Status.REVERTED, "complaints")
    assert again.reason == "complaints"
    assert world.flags.switches == [
        ("layout-home", "grid", "list"),
        ("layout-home", "list", "grid"),
    ]
    assert world.evaluate([(rule(), BAD)], hours=100) == ["fired, not back to normal yet"]


def test_what_was_good_under_a_change_does_not_fire_against_the_person_who_took_it_back(
    world: World,
) -> None:
    world.evaluate([(rule(), BAD)], hours=0)
    world.evaluate([(rule(), WELL)], hours=50)
    world.adjuster()[1].undo(world.only.adjustment_id, "complaints", world.newest)

    (answer,) = world.evaluate([(rule(), BAD)], hours=100)

    assert answer == "fired, not back to normal yet"
    assert world.book.arm("few-clicks", "placement=home").since == NOON + timedelta(hours=50)


def test_what_was_for_a_while_and_did_good_may_be_due_once_more(world: World) -> None:
    for_a_while = rule(watch=Watch((), timedelta(hours=72), OnExpiry.UNDO))
    world.evaluate([(for_a_while, BAD)], hours=0)
    world.evaluate([(for_a_while, WELL)], hours=50)
    world.evaluate([], hours=72)

    (answer,) = world.evaluate([(for_a_while, BAD)], hours=100)

    assert answer == "fired: layout-home from grid to list"


def test_undoing_what_there_is_not_names_what_was_meant(world: World) -> None:
    world.evaluate([(rule(), BAD)], hours=0)
    _, adjuster = world.adjuster()
    known = world.only.adjustment_id

    with pytest.raises(InvalidInputError, match=f"did you mean {known}"):
        adjuster.undo(known[:-1], "x", world.newest)
    with pytest.raises(InvalidInputError, match="adjustments list"):
        adjuster.undo("zzz", "x", world.newest)


def test_what_somebody_else_switched_meanwhile_is_left_to_them(world: World) -> None:
    world.evaluate([(GUARDED, BAD)], hours=0)
    world.flags.variants["layout-home"] = "cards"

    world.evaluate([], hours=6, guards={"bounce_rate": (NORMAL, WORSE)})

    assert world.flags.variants["layout-home"] == "cards"
    assert world.only.status is Status.EXPIRED
    assert "Left as it is: The flag 'layout-home' is 'cards' and not 'list'" in world.only.reason
    assert len(world.problems) == 1


def test_a_category_is_hidden_and_comes_back(world: World) -> None:
    hiding = rule(scope={"category": EACH}, action=Action(Kind.HIDE_CATEGORY, "{category}"))
    labs = {"category": "labs"}

    (answer,) = world.evaluate([(hiding, BAD)], hours=0, place=labs)

    assert answer == "fired: labs from normal to hidden"
    assert world.book.treatment("labs") == "hidden"
    world.adjuster()[1].undo(world.only.adjustment_id, "a mistake", world.newest)
    assert world.book.treatment("labs") == "normal"
    assert world.only.status is Status.REVERTED


@pytest.mark.parametrize(("undone_first", "between"), [(0, "boosted"), (1, "hidden")])
def test_two_rules_over_one_category_undo_in_any_order(
    world: World, undone_first: int, between: str
) -> None:
    scope, labs = {"category": EACH}, {"category": "labs"}
    hiding = rule(scope=scope, action=Action(Kind.HIDE_CATEGORY, "{category}"))
    boosting = rule(name="lift", scope=scope, action=Action(Kind.BOOST_CATEGORY, "{category}"))
    world.evaluate([(hiding, BAD)], hours=0, place=labs)
    world.evaluate([(boosting, BAD)], hours=1, place=labs)
    made = list(world.book.adjustments)
    assert world.book.treatment("labs") == "boosted"

    undone = world.adjuster()[1].undo(made.pop(undone_first), "one", world.newest)
    assert undone.status is Status.REVERTED
    assert world.book.treatment("labs") == between
    last = world.adjuster()[1].undo(made.pop(), "the other", world.newest)

    assert world.book.treatment("labs") == "normal"
    assert world.book.undone_to(last.change) == "normal"
    assert world.statuses() == ["reverted", "reverted"]


@dataclass
class Unwilling:
    """Something that cannot be changed for a while."""

    failures: int
    made: list[str] = field(default_factory=list)

    def plan(self, action: Action) -> Change:
        return Change(action.kind, "hook", "", "called")

    def make(self, change: Change, cause: Cause) -> None:  # noqa: ARG002 - the port's
        if self.failures > 0:
            self.failures -= 1
            raise LakeUnavailableError("nobody there")
        self.made.append(cause.adjustment_id)

    def take_back(self, change: Change, cause: Cause) -> None:
        self.make(change, cause)


CALLING = rule(action=Action(Kind.WEBHOOK))


def test_what_fails_for_now_is_tried_again_with_the_next_batch(world: World) -> None:
    receiver = Unwilling(failures=1)
    world.changers[Kind.WEBHOOK] = receiver

    (answer,) = world.evaluate([(CALLING, BAD)], hours=0)
    assert answer.startswith("fires, but: ")
    assert adjustments_table(world.book).is_empty()
    world.evaluate([(CALLING, BAD)], hours=1)

    assert world.only.status is Status.APPLIED
    assert receiver.made == [world.only.adjustment_id]


def test_what_fails_for_a_day_is_given_up_and_may_be_tried_anew(world: World) -> None:
    world.changers[Kind.WEBHOOK] = receiver = Unwilling(failures=3)
    for hours in (0, 12, 25):
        world.evaluate([(CALLING, BAD)], hours=hours)

    assert world.statuses() == ["failed"]
    assert world.only.reason == "Given up after 1 day: nobody there"
    assert adjustments_table(world.book).is_empty()
    world.evaluate([(CALLING, BAD)], hours=48)
    assert world.statuses() == ["failed", "applied"]
    assert len(receiver.made) == 1


def test_taking_back_what_fails_for_a_day_is_given_up_and_says_so(world: World) -> None:
    world.changers[Kind.WEBHOOK] = receiver = Unwilling(failures=0)
    world.evaluate([(CALLING, BAD)], hours=0)
    receiver.failures = 4
    world.hours = 100
    world.adjuster()[1].undo(world.only.adjustment_id, "Complaints.", world.newest)

    statuses = []
    for hours in (112, 124, 125):
        world.evaluate([], hours=hours)
        statuses.append(world.only.status)

    assert statuses == [Status.UNDOING, Status.UNDOING, Status.EXPIRED]
    assert world.only.reason == "Complaints. Given up after 1 day: nobody there"
    assert adjustments_table(world.book)["status"].to_list() == ["expired"]


def test_what_nothing_does_any_more_is_written_down_as_failed(world: World) -> None:
    world.changers[Kind.WEBHOOK] = Unwilling(failures=1)
    world.evaluate([(CALLING, BAD)], hours=0)
    del world.changers[Kind.WEBHOOK]

    (answer,) = world.evaluate([(CALLING, BAD)], hours=1)

    assert world.statuses() == ["failed"]
    assert world.only.reason == "There is nothing here that does 'webhook'."
    assert answer == "in its cooldown"


def test_two_processes_that_see_the_same_breach_fire_once(world: World) -> None:
    first, second = world.adjuster(), world.adjuster()
    seen: list[Observation] = [
        observed([(rule(), BAD)], ledger.book) for ledger, _ in (first, second)
    ]
    first[1].act(seen[0])
    # Even where the flag does not tell.
    world.flags.variants["layout-home"] = "grid"

    with pytest.raises(LedgerConflictError, match="Another process wrote entry 1"):
        second[1].act(seen[1])
    world.evaluate([(rule(), BAD)], hours=0)

    assert len(world.flags.switches) == 1
    assert len(world.book.adjustments) == 1


def test_the_kept_book_says_what_the_entries_say(world: World) -> None:
    world.evaluate([(GUARDED, BAD)], hours=0)
    world.evaluate([(GUARDED, BAD)], hours=6, guards={"bounce_rate": (NORMAL, WORSE)})
    kept = world.book

    world.lake.delete(["adjustments/book.json"])

    assert world.book == kept


class Killed(BaseException):
    """The process is gone; nothing catches that."""


class MortalLake(Lake):
    """A lake whose writer dies at its Nth act: before it, or after it."""

    acts_left = 10_000
    is_after = False

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self.live(lambda: super(MortalLake, self).put(key, data, mode=mode))

    def live(self, act: Callable[[], object]) -> None:
        self.acts_left -= 1
        if self.acts_left == 0 and not self.is_after:
            raise Killed
        act()
        if self.acts_left == 0:
            raise Killed


class MortalFlags(MemoryFlags):
    """Flags whose switching is an act of the same process."""

    lake: MortalLake

    def switch(self, flag: str, variant: str, *, who: str, why: str, expected: str) -> str:
        switch = super().switch
        self.lake.live(lambda: switch(flag, variant, who=who, why=why, expected=expected))
        return expected


def story(world: World) -> None:
    """A breach, a guard that got worse, and a look after that."""
    guards = {"bounce_rate": (NORMAL, WORSE)}
    for hours in (0, 6, 12):
        world.evaluate([(GUARDED, BAD)], hours=hours, guards=guards)


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("acts", range(1, 9))
def test_a_kill_at_any_act_leaves_one_firing_one_undoing_and_a_row(
    tmp_path: Path, acts: int, *, is_after: bool
) -> None:
    lake = MortalLake(tmp_path.as_uri())
    flags = MortalFlags({"layout-home": "grid"})
    flags.lake = lake
    world = World(lake, flags)
    lake.acts_left, lake.is_after = acts, is_after
    with pytest.raises(Killed):
        story(world)
    # Whoever looks now sees the flag where it was, or an entry that says who moved it.
    moved = [each.change.after for each in world.book.adjustments.values()]
    assert flags.variants["layout-home"] in {"grid", *moved}

    lake.acts_left = 10_000
    story(world)

    assert flags.switches == [("layout-home", "grid", "list"), ("layout-home", "list", "grid")]
    assert world.statuses() == ["reverted"]
    assert adjustments_table(world.book)["status"].to_list() == ["reverted"]


# Each writes to a disk a dozen times.
@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 40),
            st.sampled_from([BAD, WELL, sample(45, 1000), sample(1, 50)]),
            st.sampled_from([WORSE, SAME, sample(5, 10)]),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_happens_an_undone_change_leaves_what_was_before(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, Sample, Sample, bool]]
) -> None:
    world = World(Lake(tmp_path_factory.mktemp("lake").as_uri()))
    hours = 0
    for passed, measured, bounces, is_undone_by_hand in steps:
        hours += passed
        guards = {"bounce_rate": (NORMAL, bounces)}
        world.evaluate([(GUARDED, measured)], hours=hours, guards=guards)
        in_effect = [
            each for each in world.book.adjustments.values() if each.status is Status.APPLIED
        ]
        if is_undone_by_hand and in_effect:
            world.adjuster()[1].undo(in_effect[-1].adjustment_id, "by hand", world.newest)
            in_effect.pop()
        assert len(in_effect) <= 1
        assert world.flags.variants["layout-home"] == ("list" if in_effect else "grid")
    fired_at = [each.changed_at for each in world.book.adjustments.values()]
    for earlier, later in pairwise(fired_at):
        assert later - earlier >= GUARDED.cooldown
