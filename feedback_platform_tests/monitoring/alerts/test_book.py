from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.monitoring.alerts.book import (
    MOST_RESOLVED,
    Book,
    Condition,
    Entry,
    Failed,
    Kind,
    News,
    Raised,
    Resolved,
    Severity,
    Telling,
    Told,
    following,
    what_changed,
)
from feedback_platform.monitoring.alerts.records import (
    book_from_json,
    book_to_json,
    entry_from_json,
    entry_to_json,
)
from feedback_platform_tests.monitoring.alerts.found import DRIFT, FAILED, NOON, alert

LATER = NOON + timedelta(hours=1)


def after(*entries: Entry, book: Book | None = None) -> Book:
    known = book or Book()
    for entry in entries:
        known = following(known, entry)
    return known


def test_what_is_wrong_is_raised_once_however_often_it_is_found() -> None:
    begun = what_changed(Book(), [FAILED, DRIFT, FAILED], list(Kind), NOON)
    assert [type(each) for each in begun] == [Raised, Raised]

    book = after(*begun)
    again = replace(FAILED, message="The run 9f9f9f9f failed.")
    assert what_changed(book, [again, DRIFT], list(Kind), LATER) == []


def test_what_is_not_wrong_any_more_is_over_when_it_was_looked_for() -> None:
    book = after(*what_changed(Book(), [FAILED, DRIFT], list(Kind), NOON))

    (over,) = what_changed(book, [], [Kind.DRIFT], LATER)

    assert isinstance(over, Resolved)
    assert [each.condition for each in after(over, book=book).standing] == [FAILED]


def test_what_is_wrong_again_is_another_alert() -> None:
    book = after(*what_changed(Book(), [FAILED], list(Kind), NOON))
    book = after(*what_changed(book, [], list(Kind), LATER), book=book)

    (again,) = what_changed(book, [FAILED], list(Kind), LATER + timedelta(hours=1))

    assert again.alert_id not in book.alerts


def test_a_destination_is_told_each_piece_of_news_once() -> None:
    begun = alert()
    assert begun.is_due("slack", NOON)

    told = replace(begun, tellings={"slack": Telling(told=News.RAISED)})
    assert not told.is_due("slack", LATER)
    assert told.is_due("webhook", LATER)

    over = replace(told, resolved_at=LATER)
    assert over.is_due("slack", LATER)
    # Who never heard that it began need not hear that it is over.
    assert not over.is_due("webhook", LATER)


def test_a_destination_that_fails_is_left_alone_for_longer_each_time() -> None:
    waits = []
    for failures in (1, 2, 5, 8, 900):
        failing = alert(tellings={"slack": Telling(failures=failures, tried_at=NOON)})
        waits.append(
            next(s for s in range(4_000) if failing.is_due("slack", NOON + timedelta(seconds=s)))
        )

    assert waits == [30, 60, 480, 3_600, 3_600]


def test_what_a_destination_refused_for_good_is_not_offered_again() -> None:
    book = after(Raised("a1", FAILED, NOON), Told("a1", "slack", News.RAISED, "answered 404"))

    assert not book.alerts["a1"].is_due("slack", LATER)
    assert book.alerts["a1"].tellings["slack"].problem == "answered 404"


def test_of_what_is_over_only_the_newest_are_kept() -> None:
    book = Book()
    for number in range(MOST_RESOLVED + 2):
        book = after(Raised(f"a{number}", FAILED, NOON), Resolved(f"a{number}", NOON), book=book)
    book = after(Raised("standing", DRIFT, NOON), book=book)

    assert len(book.alerts) == MOST_RESOLVED + 1
    assert next(iter(book.alerts)) == "a2"


names = st.sampled_from(["a1", "a2"])
texts = st.text(max_size=5)
entries = st.one_of(
    st.builds(
        Raised,
        names,
        st.builds(Condition, st.sampled_from(Kind), texts, texts, st.sampled_from(Severity)),
        st.just(NOON),
    ),
    st.builds(Resolved, names, st.just(LATER)),
    st.builds(Told, names, st.sampled_from(["log", "slack"]), st.sampled_from(News), texts),
    st.builds(Failed, names, st.sampled_from(["log", "slack"]), st.just(LATER), texts),
)


@settings(max_examples=40)
@given(st.lists(entries, max_size=8))
def test_entries_and_what_they_come_to_come_back_as_they_were(written: list[Entry]) -> None:
    book = after(*written)

    assert [entry_from_json(entry_to_json(entry, "w")) for entry in written] == written
    assert book_from_json(book_to_json(book)) == book
