from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedback_platform.errors import LakeObjectExistsError
from feedback_platform.lake.numbered_ledger import Form, LedgerDamagedError, NumberedLedger
from feedback_platform.lake.store import Lake


@dataclass(frozen=True)
class Words:
    """What was said so far."""

    said: tuple[str, ...] = ()

    @property
    def sequence(self) -> int:
        return len(self.said)


FORM = Form(
    empty=Words(),
    following=lambda words, word: Words((*words.said, word)),
    entry=lambda number: f"words/{number:03d}.json",
    book="book.json",
    entry_to_json=lambda word, writer: json.dumps({"word": word, "by": writer}).encode(),
    entry_from_json=lambda content: str(json.loads(content)["word"]),
    book_to_json=lambda words: json.dumps(words.said).encode(),
    book_from_json=lambda content: Words(tuple(json.loads(content))),
)


class Watched(Lake):
    """A lake that remembers what was read."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.read: list[str] = []

    def get(self, key: str) -> bytes:
        self.read.append(key)
        return super().get(key)

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        raise AssertionError(f"{prefix} was listed: that costs what is stored. {after}")


@pytest.fixture
def lake(tmp_path: Path) -> Watched:
    return Watched(tmp_path.as_uri())


def ledger_of(lake: Lake) -> NumberedLedger[Words, str]:
    return NumberedLedger(lake, FORM)


def test_what_one_writes_the_next_reads(lake: Watched) -> None:
    ledger_of(lake).write(lambda _: ["one", "two"])

    assert ledger_of(lake).book.said == ("one", "two")


def test_of_two_that_write_at_once_the_second_decides_anew_and_none_is_lost(lake: Watched) -> None:
    first, second = ledger_of(lake), ledger_of(lake)
    first.append("one")

    with pytest.raises(LakeObjectExistsError):
        second.append("other")
    second.write(lambda words: [f"after {len(words.said)}"])

    assert second.book.said == ("one", "after 1")
    assert first.read_on()
    assert not first.read_on()
    assert first.book == second.book


def test_reading_costs_what_was_written_since_the_book_was_kept(lake: Watched) -> None:
    writer = ledger_of(lake)
    writer.write(lambda _: [str(number) for number in range(20)])
    writer.keep_book()
    writer.append("new")
    lake.read.clear()

    assert ledger_of(lake).book == writer.book
    assert lake.read == ["book.json", "words/021.json", "words/022.json"]


def test_a_book_that_is_as_it_was_kept_is_not_kept_again(lake: Watched) -> None:
    writer = ledger_of(lake)
    writer.keep_book()
    assert lake.find("book.json") is None

    writer.append("one")
    writer.keep_book()
    lake.delete(["book.json"])
    writer.keep_book()
    assert lake.find("book.json") is None


def test_an_entry_counts_when_those_before_it_are_there(lake: Watched) -> None:
    writer = ledger_of(lake)
    writer.write(lambda _: ["one", "two", "three"])
    second = lake.get("words/002.json")
    lake.delete(["words/002.json"])

    reader = ledger_of(lake)
    assert reader.book.said == ("one",)
    lake.put("words/002.json", second, mode="create")
    assert reader.read_on()
    assert reader.book == writer.book


@pytest.mark.parametrize("key", ["book.json", "words/001.json"])
@pytest.mark.parametrize("content", [b"{", b"1"])
def test_what_is_damaged_is_named(lake: Watched, key: str, content: bytes) -> None:
    lake.put(key, content, mode="create")

    with pytest.raises(LedgerDamagedError, match=f"{key} in the lake is damaged") as damage:
        ledger_of(lake)
    assert damage.value.key == key
