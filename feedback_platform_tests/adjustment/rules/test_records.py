from __future__ import annotations

from feedback_platform.adjustment.rules.book import Book, Status
from feedback_platform.adjustment.rules.entries import Undoing
from feedback_platform.adjustment.rules.records import book_from_json, entry_from_json


def test_what_an_earlier_release_kept_is_read() -> None:
    book = b'{"sequence":3,"adjustments":[],"arms":[],"categories":{"labs":"normal"}}'
    entry = (
        b'{"kind":"undoing","writer":"w","adjustment_id":"a1","becomes":"reverted",'
        b'"reason":"complaints","until":null,"evidence":{}}'
    )

    assert book_from_json(book) == Book(sequence=3)
    assert entry_from_json(entry) == Undoing("a1", Status.REVERTED, "complaints", None, {})
