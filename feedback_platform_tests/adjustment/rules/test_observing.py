from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from feedback_platform.adjustment.rules.adjusting import Adjuster
from feedback_platform.adjustment.rules.book import Book
from feedback_platform.adjustment.rules.changes import FlagChanger
from feedback_platform.adjustment.rules.decision import Arm, Verdict
from feedback_platform.adjustment.rules.definition import Kind, Watch
from feedback_platform.adjustment.rules.ledger import Ledger, read_book
from feedback_platform.adjustment.rules.observing import observe
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.rules.switches import MemoryFlags, guard, rule
from feedback_platform_tests.adjustment.rules.tables import START, Tables

RULE = rule(window=timedelta(hours=4), minimum_sample=30)


def show(tables: Tables, first: int, last: int, *, placement: str = "home") -> None:
    """Each minute a list for somebody else, whom it does not make click."""
    for minute in range(first, last):
        tables.happen(minute, user_id=f"u{minute}", placement=placement)


def test_where_nothing_ever_happened_there_is_nothing_to_observe(tables: Tables) -> None:
    assert observe(tables.query, [RULE], Book(), 1) is None


def test_a_rule_that_has_fired_measures_what_came_after(tables: Tables) -> None:
    show(tables, 0, 120)
    fired = START + timedelta(minutes=50)
    book = Book().with_arm(RULE.name, "placement=home", Arm(is_armed=False, since=fired))

    fresh, used = (observe(tables.query, [RULE], each, 1) for each in (Book(), book))

    assert fresh is not None
    assert used is not None
    # The newest list is that of minute 119; what came after minute 89 has not settled.
    assert fresh.rules[0].sample.count == 90
    assert fresh.rules[0].judgement.verdict is Verdict.FIRES
    assert used.rules[0].sample.count == 89 - 50
    assert used.rules[0].span.begins == fired


def test_a_place_that_a_sender_called_each_is_one_place(tables: Tables) -> None:
    show(tables, 0, 120, placement="each")
    show(tables, 0, 120)
    fired = START + timedelta(minutes=50)
    book = Book().with_arm(RULE.name, "placement=each", Arm(is_armed=False, since=fired))

    seen = observe(tables.query, [RULE], book, 1)

    assert seen is not None
    assert [(found.scope, found.sample.count) for found in seen.rules] == [
        ("placement=each", 39),
        ("placement=home", 90),
    ]


def test_places_with_too_little_to_say_make_nobody_less_sure(tables: Tables) -> None:
    show(tables, 0, 60)
    show(tables, 0, 60, placement="sidebar")
    show(tables, 0, 20, placement="rare")
    tables.happen(100, event_type="item_viewed")

    seen = observe(tables.query, [RULE], Book(), 1)

    assert seen is not None
    assert [found.scope for found in seen.rules] == [
        "placement=home",
        "placement=rare",
        "placement=sidebar",
    ]
    assert {round(found.judgement.level, 6) for found in seen.rules} == {0.975}


def test_a_guard_is_asked_where_the_rule_fired_before_and_after(
    tables: Tables, tmp_path: Path
) -> None:
    guarded = rule(
        window=timedelta(hours=4),
        minimum_sample=30,
        watch=Watch((guard(metric="click_through_rate", window=timedelta(hours=1)),)),
    )
    show(tables, 0, 120)
    seen = observe(tables.query, [guarded], Book(), 1)
    assert seen is not None
    ledger = Ledger(Lake(tmp_path.as_uri()))
    flags = FlagChanger(MemoryFlags({"layout-home": "grid"}))
    Adjuster(ledger, {Kind.FLAG: flags}, lambda: START).act(seen)
    show(tables, 120, 200)
    show(tables, 120, 200, placement="sidebar")

    # No rule has to be there any more.
    later = observe(tables.query, [], read_book(Lake(tmp_path.as_uri())), 2)

    assert later is not None
    ((adjustment, (found,)),) = later.guards
    assert adjustment.changed_at == START + timedelta(minutes=119)
    assert found.place == {"placement": "home"}
    # An hour before minute 119; and from then to minute 169, half an hour before the newest.
    assert (found.before.count, found.after.count) == (60, 50)
