"""What a lake is, said once: each kind of store has a subclass of these tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from feedback_platform.errors import (
    LakeAccessError,
    LakeObjectExistsError,
    LakeObjectMissingError,
    LakeUnavailableError,
)
from feedback_platform.lake.store import Lake

# Less than the clients of a collector wait for its answer.
PATIENCE = 10.0
OPERATIONS: dict[str, Callable[[Lake], object]] = {
    "create": lambda lake: lake.put("p/key", b"x", mode="create"),
    "overwrite": lambda lake: lake.put("p/key", b"x", mode="overwrite"),
    "get": lambda lake: lake.get("p/key"),
    "find": lambda lake: lake.find("p/key"),
    "list": lambda lake: lake.list_keys("p"),
    "list a page": lambda lake: lake.list_page("p", after="p/a"),
    "list prefixes": lambda lake: lake.subdirectories("p"),
    "delete": lambda lake: lake.delete(["p/key"]),
}


class LakeConformance:
    """The fixture `any_lake` is an empty lake in the store."""

    def test_what_was_put_is_what_is_got(self, any_lake: Lake) -> None:
        content = bytes(range(256)) * 5000

        any_lake.put("a/b/c.bin", content, mode="create")
        any_lake.put("empty", b"", mode="create")

        assert any_lake.get("a/b/c.bin") == content
        assert any_lake.find("a/b/c.bin") == content
        assert any_lake.get("empty") == b""

    def test_a_file_is_put_and_got_whole_without_being_held_in_memory(
        self, any_lake: Lake, tmp_path: Path
    ) -> None:
        content = bytes(range(256)) * 100_000
        given, got = tmp_path / "given", tmp_path / "got"
        given.write_bytes(content)

        any_lake.put_file("a/b/c.lists", given)
        any_lake.get_file("a/b/c.lists", got)

        assert any_lake.get("a/b/c.lists") == got.read_bytes() == content
        with pytest.raises(LakeObjectExistsError):
            any_lake.put_file("a/b/c.lists", given)
        with pytest.raises(LakeObjectMissingError):
            any_lake.get_file("missing", tmp_path / "missing")

    def test_a_key_may_hold_what_keys_of_other_writers_hold(self, any_lake: Lake) -> None:
        key = "raw/dt=2026-03-01/Ünï code, with (all) & sorts+of~things.json"

        any_lake.put(key, b"x", mode="create")

        assert any_lake.get(key) == b"x"
        assert any_lake.list_keys("raw") == [key]

    def test_create_refuses_to_replace(self, any_lake: Lake) -> None:
        any_lake.put("key", b"first", mode="create")

        with pytest.raises(LakeObjectExistsError) as caught:
            any_lake.put("key", b"second", mode="create")

        assert caught.value.key == "key"
        assert any_lake.url in str(caught.value)
        assert any_lake.get("key") == b"first"

    def test_what_is_created_again_as_it_is_changes_nothing(self, any_lake: Lake) -> None:
        any_lake.put("key", b"the same", mode="create")
        any_lake.put("key", b"the same", mode="create")

        assert any_lake.get("key") == b"the same"

    def test_overwrite_creates_and_replaces(self, any_lake: Lake) -> None:
        any_lake.put("key", b"a longer first", mode="overwrite")
        any_lake.put("key", b"second", mode="overwrite")

        assert any_lake.get("key") == b"second"

    def test_of_many_that_create_one_key_one_succeeds(self, any_lake: Lake) -> None:
        outcomes: list[str] = []

        def create(name: str) -> None:
            try:
                any_lake.put("contested", name.encode(), mode="create")
            except LakeObjectExistsError:
                return
            outcomes.append(name)

        threads = [threading.Thread(target=create, args=(f"writer {n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(outcomes) == 1
        assert any_lake.get("contested").decode() == outcomes[0]

    def test_a_missing_object_is_named(self, any_lake: Lake) -> None:
        with pytest.raises(LakeObjectMissingError) as caught:
            any_lake.get("no/such")

        assert caught.value.key == "no/such"
        assert any_lake.url in str(caught.value)
        assert any_lake.find("no/such") is None

    def test_keys_are_listed_in_order_from_a_position_on(self, any_lake: Lake) -> None:
        for key in ("p/b/2", "p/a/1", "p/c", "p/b/1", "pq/not", "q"):
            any_lake.put(key, b"", mode="create")

        assert any_lake.list_keys("p") == ["p/a/1", "p/b/1", "p/b/2", "p/c"]
        assert any_lake.list_keys("p/b") == ["p/b/1", "p/b/2"]
        assert any_lake.list_keys("p", after="p/b/1") == ["p/b/2", "p/c"]
        assert any_lake.list_keys("p", after="p/b") == ["p/b/1", "p/b/2", "p/c"]
        assert any_lake.list_keys("p", after="p/c") == []
        assert any_lake.list_keys("nothing") == []

    def test_pages_give_what_the_whole_listing_gives(self, any_lake: Lake) -> None:
        for key in ("p/b/2", "p/a/1", "p/c", "p/b/1", "pq/not", "q"):
            any_lake.put(key, b"", mode="create")

        assert any_lake.list_page("p", after="p/") == (["p/a/1", "p/b/1", "p/b/2", "p/c"], True)
        assert any_lake.list_page("p", after="p/b/1") == (["p/b/2", "p/c"], True)
        assert any_lake.list_page("p", after="p/c") == ([], True)

    def test_subdirectories_are_one_level_deep(self, any_lake: Lake) -> None:
        for key in ("p/dt=2/hr=1/x", "p/dt=1/hr=1/x", "p/dt=1/hr=2/x", "p/file"):
            any_lake.put(key, b"", mode="create")

        assert any_lake.subdirectories("p") == ["p/dt=1", "p/dt=2"]
        assert any_lake.subdirectories("p/dt=1") == ["p/dt=1/hr=1", "p/dt=1/hr=2"]
        assert any_lake.subdirectories("nothing") == []

    def test_deleting_leaves_the_others_and_forgives_what_is_gone(self, any_lake: Lake) -> None:
        for key in ("p/1", "p/2", "p/3"):
            any_lake.put(key, b"", mode="create")

        any_lake.delete(["p/1", "p/3", "p/never"])

        assert any_lake.list_keys("p") == ["p/2"]
        assert any_lake.find("p/1") is None

    def test_a_deleted_key_is_free_again(self, any_lake: Lake) -> None:
        any_lake.put("key", b"first", mode="create")
        any_lake.delete(["key"])

        any_lake.put("key", b"second", mode="create")

        assert any_lake.get("key") == b"second"

    def test_a_second_client_sees_the_same_objects(self, any_lake: Lake) -> None:
        any_lake.put("key", b"x", mode="create")

        assert Lake(any_lake.url).get("key") == b"x"


class RemoteLakeConformance(LakeConformance):
    """A lake behind a network; the fixture `deaf_lake` is one whose address nobody listens at."""

    def test_it_has_no_directory(self, any_lake: Lake) -> None:
        assert any_lake.directory is None

    def test_more_keys_than_a_page_holds_are_listed(
        self, any_lake: Lake, put_many: Callable[[Lake, list[str]], None]
    ) -> None:
        keys = [f"many/{number:04d}" for number in range(1050)]
        put_many(any_lake, keys[::-1])

        assert any_lake.list_keys("many") == keys
        assert any_lake.list_keys("many", after="many/0999") == keys[1000:]
        assert any_lake.list_page("many", after="many/") == (keys[:1000], False)
        assert any_lake.list_page("many", after="many/0999") == (keys[1000:], True)

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_bucket_that_does_not_exist_is_no_empty_lake(
        self, any_lake: Lake, operation: str
    ) -> None:
        bucket = urlsplit(any_lake.url).netloc
        lake = Lake(any_lake.url.replace(bucket, "no-such-bucket"))

        with pytest.raises(LakeAccessError, match=r"NoSuchBucket.*Check that the bucket"):
            OPERATIONS[operation](lake)

    @pytest.mark.parametrize("operation", ["create", "get", "list"])
    def test_a_store_that_does_not_answer_is_given_up_soon(
        self, deaf_lake: Lake, operation: str
    ) -> None:
        started = time.monotonic()

        with pytest.raises(LakeUnavailableError, match="error sending request"):
            OPERATIONS[operation](deaf_lake)

        assert time.monotonic() - started < PATIENCE
