"""A ledger of numbered entries, and a book of what they come to, kept beside them.

An entry gets the number after the newest one that its writer knows, and counts only if nobody else
has written that number. So no two writers act on the same state: one of them reads on, and decides
again or gives up. The book spares readers the entries in it; it is kept now and then, may be older
than the newest entry, and is never needed. To see what is new costs a look for each entry after it,
and one for that which is not there yet, however many came before.

A `NumberedLog` is the same without a book, for readers that stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import uuid4

from feedback_platform.errors import LakeObjectExistsError, PermanentError, text_of
from feedback_platform.lake.store import Lake


class Numbered(Protocol):
    """What a ledger needs of a book: the number of the newest entry in it."""

    @property
    def sequence(self) -> int:
        """The newest entry in it, 0 before the first."""
        ...


class LedgerDamagedError(PermanentError):
    """An entry or the book of a ledger is not what any release has written."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"The object {key} in the lake is damaged: {problem}")
        self.key = key
        self.problem = problem


Book = TypeVar("Book", bound=Numbered)
Entry = TypeVar("Entry")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Form(Generic[Book, Entry]):
    """What a ledger's entries and its book are like, and where they lie.

    Attributes:
        empty: the book before the first entry.
        following: returns a book with one more entry.
        entry: returns the key of an entry, by its number.
        book: the key of the book.
        entry_to_json: writes an entry, and by whom: so that equal entries of two writers differ.
        entry_from_json, book_to_json, book_from_json: the others.
    """

    empty: Book
    following: Callable[[Book, Entry], Book]
    entry: Callable[[int], str]
    book: str
    entry_to_json: Callable[[Entry, str], bytes]
    entry_from_json: Callable[[bytes], Entry]
    book_to_json: Callable[[Book], bytes]
    book_from_json: Callable[[bytes], Book]


class NumberedLedger(Generic[Book, Entry]):
    """A ledger as one writer knows it; `book` is what the entries come to so far.

    Raises:
        LakeUnavailableError: the store failed; what was being written may be there all the same.
        LedgerDamagedError: the book or an entry after it cannot be read.
    """

    def __init__(self, lake: Lake, form: Form[Book, Entry]) -> None:
        self._lake = lake
        self._form = form
        self._writer = uuid4().hex
        kept = lake.find(form.book)
        self.book = form.empty if kept is None else _read(form.book, form.book_from_json, kept)
        self._kept = self.book.sequence
        self.read_on()

    def append(self, entry: Entry) -> None:
        """Write an entry behind the newest that this writer knows.

        Raises:
            LakeObjectExistsError: somebody else wrote one there.
        """
        book = self._form.following(self.book, entry)
        content = self._form.entry_to_json(entry, self._writer)
        self._lake.put(self._form.entry(book.sequence), content, mode="create")
        self.book = book

    def write(self, decide: Callable[[Book], Sequence[Entry]]) -> None:
        """Write what is decided of the book; it is decided anew when another wrote meanwhile."""
        while True:
            try:
                for entry in decide(self.book):
                    self.append(entry)
            except LakeObjectExistsError:
                self.read_on()
            else:
                return

    def keep_book(self) -> None:
        """Keep what the entries come to, so that the next reader reads those after it alone."""
        if self.book.sequence > self._kept:
            content = self._form.book_to_json(self.book)
            self._lake.put(self._form.book, content, mode="overwrite")
            self._kept = self.book.sequence

    def read_on(self) -> bool:
        """Take in what others wrote since, and return whether there was anything."""
        before = self.book.sequence
        # One after the other: a listing beside a writer may show an entry, and not the one before.
        while (
            content := self._lake.find(key := self._form.entry(self.book.sequence + 1))
        ) is not None:
            entry = _read(key, self._form.entry_from_json, content)
            self.book = self._form.following(self.book, entry)
        return self.book.sequence > before


def _read(key: str, from_json: Callable[[bytes], Value], content: bytes) -> Value:
    try:
        return from_json(content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LedgerDamagedError(key, text_of(error)) from error
