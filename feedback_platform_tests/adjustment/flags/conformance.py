"""What the flags of a store are, said once: each kind of store has a subclass of these tests."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from feedback_platform.adjustment.flags.changes import with_default, with_rollout, with_state
from feedback_platform.adjustment.flags.definition import Flag, as_table
from feedback_platform.adjustment.flags.entries import Author, Change, Entry, digest_of, to_bytes
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake import keys
from feedback_platform.lake.numbered_log import Store
from feedback_platform_tests.adjustment.flags.definitions import ADA, NOON, flag, switch

RULE = Author("rule:low-ctr", "click-through is 3.1 % (2.2 to 4.0)", NOON)


class FlagsConformance:
    """The fixture `store` is an empty store; two `Flags` on it are two processes."""

    def test_an_empty_store_has_no_flags(self, store: Store) -> None:
        found = Flags(store).refresh()
        assert (found.position, dict(found.flags), found.problems) == (0, {}, ())

    def test_what_one_process_changes_another_reads(self, store: Store) -> None:
        one, other = Flags(store), Flags(store)
        one.apply({"layout": flag()}, ADA)
        assert other.refresh().flags["layout"].flag == flag()
        one.edit("layout", lambda old: with_default(old, "cards"), RULE)
        assert other.refresh().flags["layout"].flag.default == "cards"
        assert other.refresh().flags["layout"].revision == 2
        # A process that comes later reads everything at once.
        assert Flags(store).refresh().flags.keys() == {"layout"}

    def test_the_history_has_who_why_when_before_and_after(self, store: Store) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag(), "switch": switch()}, ADA)
        flags.edit("layout", lambda old: with_default(old, "cards"), RULE)

        first, second = flags.history("layout")

        assert (first.revision, first.author, first.change.before) == (1, ADA, None)
        assert (second.revision, second.author) == (2, RULE)
        assert second.change.before is not None
        assert second.change.after is not None
        assert second.change.before["default"] == "list"
        assert second.change.after["default"] == "cards"
        assert [each.revision for each in flags.history("switch")] == [1]
        assert flags.history("unknown") == []

    def test_of_two_that_change_one_flag_at_once_both_count(self, store: Store) -> None:
        one, other = Flags(store), Flags(store)
        one.apply({"layout": flag()}, ADA)
        other.refresh()

        def slowly(old: Flag) -> Flag:
            # While this one decides, the other one is quicker.
            if old.default == "list":
                other.edit("layout", lambda before: with_default(before, "grid"), RULE)
            return with_state(old, is_enabled=False)

        one.edit("layout", slowly, ADA)

        found = Flags(store).refresh().flags["layout"]
        assert (found.flag.default, found.flag.is_enabled, found.revision) == ("grid", False, 3)

    def test_of_many_that_change_at_the_same_time_none_is_lost(self, store: Store) -> None:
        writers = 6
        Flags(store).apply({"layout": flag()}, ADA)

        def write(number: int) -> None:
            author = replace(ADA, by=f"person:{number}")
            Flags(store).edit("layout", lambda old: _described(old, str(number)), author)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        found = Flags(store).refresh().flags["layout"]
        assert sorted(found.flag.description) == sorted("012345")
        authors = [each.author.by for each in Flags(store).history("layout")]
        assert sorted(authors[1:]) == [f"person:{number}" for number in range(writers)]

    def test_what_is_already_so_is_no_change(self, store: Store) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag()}, ADA)
        assert flags.edit("layout", lambda old: with_default(old, "list"), ADA) == []
        assert len(flags.history("layout")) == 1

    def test_a_number_that_becomes_a_float_and_a_new_order_of_a_split_are_changes(
        self, store: Store
    ) -> None:
        flags = Flags(store)
        numbers = flag(type="number", default="few", variants={"few": 5})
        flags.apply({"layout": numbers}, ADA)
        floats = flag(type="number", default="few", variants={"few": 5.0})
        assert flags.apply({"layout": floats}, ADA).changed == ["layout"]
        for split in ({"cards": 50, "grid": 50}, {"grid": 50, "cards": 50}):
            assert flags.apply({"layout": flag({"split": split})}, ADA).changed == ["layout"]

    def test_a_flag_that_is_gone_can_come_back_and_counts_on(self, store: Store) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag()}, ADA)
        flags.change(lambda _: {"layout": None}, ADA)
        assert flags.refresh().flags == {}
        flags.change(lambda _: {"layout": flag()}, ADA)
        assert flags.refresh().flags["layout"].revision == 3
        assert [each.change.after is None for each in flags.history("layout")] == [0, 1, 0]

    def test_a_file_leaves_alone_what_others_changed_since_it_was_applied(
        self, store: Store
    ) -> None:
        flags = Flags(store)
        file = {"layout": flag(), "switch": switch()}
        assert flags.apply(file, ADA).created == ["layout", "switch"]
        flags.edit("layout", lambda old: with_default(old, "cards"), RULE)

        again = flags.apply(file, ADA)

        assert (again.kept, again.unchanged, again.changed) == (["layout"], ["switch"], [])
        assert flags.refresh().flags["layout"].flag.default == "cards"
        # A new word of the file is a new will.
        assert flags.apply({"layout": flag(default="grid")}, ADA).changed == ["layout"]
        assert flags.refresh().flags["layout"].flag.default == "grid"

    def test_a_file_that_says_what_is_so_already_is_remembered(self, store: Store) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag()}, ADA)
        flags.edit("layout", lambda old: with_default(old, "cards"), ADA)
        assert flags.apply({"layout": flag(default="cards")}, ADA).unchanged == ["layout"]
        flags.edit("layout", lambda old: with_default(old, "grid"), RULE)
        assert flags.apply({"layout": flag(default="cards")}, ADA).kept == ["layout"]

    def test_a_file_brings_back_nothing_that_was_removed_since(self, store: Store) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag()}, ADA)
        flags.change(lambda _: {"layout": None}, ADA)
        assert flags.apply({"layout": flag()}, ADA).kept == ["layout"]
        assert flags.refresh().flags == {}
        assert flags.apply({"layout": flag()}, ADA, is_overwriting=True).created == ["layout"]

    def test_a_file_may_be_told_to_overwrite(self, store: Store) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag()}, ADA)
        flags.edit("layout", lambda old: with_rollout(old, "cards", 5), RULE)
        assert flags.apply({"layout": flag()}, ADA, is_overwriting=True).changed == ["layout"]
        assert flags.refresh().flags["layout"].flag == flag()

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b'{"at": "2026-03-01T12:00:00+00:00", "by": "person:ada", "rea',
            b"[]",
            b'{"at": "2026-03-01T12:00:00", "by": "person:ada", "reason": "x", "changes": []}',
            b'{"at": "2026-03-01T12:00:00Z", "by": "nobody", "reason": "x", "changes": []}',
            b"\xff\xfe",
        ],
    )
    def test_an_entry_that_is_torn_leaves_the_last_good_state_and_those_that_follow(
        self, store: Store, content: bytes
    ) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag()}, ADA)
        store.put(keys.flag_entry(2), content, mode="create")

        found = flags.refresh()

        assert found.flags["layout"].flag == flag()
        (problem,) = found.problems
        assert keys.flag_entry(2) in problem
        flags.edit("layout", lambda old: with_default(old, "cards"), ADA)
        for reader in (flags, Flags(store)):
            assert reader.refresh().flags["layout"].flag.default == "cards"
            assert reader.refresh().flags["layout"].revision == 2
        assert len(Flags(store).history("layout")) == 2

    def test_of_an_entry_only_the_flag_that_cannot_be_read_stays_as_it_was(
        self, store: Store
    ) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag(), "switch": switch()}, ADA)
        content = store.find(keys.flag_entry(1))
        assert content is not None
        later = content.replace(b'"default":"list"', b'"default":"none"')
        later = later.replace(b'"default":"off"', b'"default":"on"')
        store.put(keys.flag_entry(2), later, mode="create")

        found = flags.refresh()

        assert found.flags["layout"].flag.default == "list"
        assert found.flags["switch"].flag.default == "on"
        assert "flag layout: default is 'none'" in found.problems[0]

    def test_a_file_whose_change_was_refused_is_taken_over_at_the_next_attempt(
        self, store: Store
    ) -> None:
        flags, wanted = Flags(store), flag(default="cards")
        flags.apply({"layout": flag()}, ADA)
        refused = Change("layout", None, {**as_table(wanted), "default": "none"})
        entry = Entry(ADA, (refused,), {"layout": digest_of(wanted)})
        store.put(keys.flag_entry(2), to_bytes(entry), mode="create")

        applied = flags.apply({"layout": wanted}, ADA)

        assert (applied.changed, applied.kept) == (["layout"], [])
        assert flags.refresh().flags["layout"].flag.default == "cards"

    def test_what_else_lies_beside_the_log_does_not_count(self, store: Store) -> None:
        store.put(f"{keys.FLAGS}/notes.json", b"{}", mode="create")
        store.put(f"{keys.FLAGS}/1.json", b"{}", mode="create")
        assert Flags(store).refresh().position == 0

    def test_a_flag_that_there_is_not_is_named_with_those_there_are(self, store: Store) -> None:
        flags = Flags(store)
        flags.apply({"layout": flag(), "switch": switch()}, ADA)
        with pytest.raises(InvalidInputError, match=r"'layuot'.*layout, switch"):
            flags.edit("layuot", lambda old: old, ADA)


def _described(old: Flag, mark: str) -> Flag:
    return replace(old, description=old.description + mark)
