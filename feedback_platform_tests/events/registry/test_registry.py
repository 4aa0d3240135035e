from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest

from feedback_platform.errors import LakeObjectExistsError, LakeUnavailableError
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.events.registry.changes import RegistryOperationError
from feedback_platform.events.registry.registry import InvalidSubjectError, SchemaRegistry
from feedback_platform.events.schemas.compatibility.levels import Level, violations
from feedback_platform.events.schemas.protobuf.contract import contract_file
from feedback_platform.events.schemas.protobuf.source import serialized
from feedback_platform.events.schemas.schema import (
    IncompatibleSchemaError,
    InvalidSchemaError,
    Schema,
    SchemaNotFoundError,
    SchemaReference,
    SchemaType,
    SubjectNotFoundError,
    VersionNotFoundError,
)
from feedback_platform.lake.store import Lake

TEXT = Schema('{"type":"string"}', SchemaType.JSON)
NUMBER = Schema('{"type":"number"}', SchemaType.JSON)
TITLED = Schema('{"type":"string","title":"t"}', SchemaType.JSON)
EITHER = Schema('{"type":["string","number"]}', SchemaType.JSON)


def json_schema(**rules: Any) -> Schema:
    return Schema(json.dumps(rules), SchemaType.JSON)


def closed(*names: str, required: tuple[str, ...] = ()) -> Schema:
    return json_schema(
        type="object",
        properties={name: {"type": "string"} for name in names},
        required=list(required),
        additionalProperties=False,
    )


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "s3":
        url: str = request.getfixturevalue("s3_lake_url")
        return Lake(url)
    return Lake(f"file://{tmp_path}")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path}")


@pytest.fixture
def registry(lake: Lake) -> SchemaRegistry:
    return SchemaRegistry(lake)


def test_what_one_registers_another_reads(store: Lake) -> None:
    one, other = SchemaRegistry(store), SchemaRegistry(store)
    assert other.subjects() == one.subjects()

    schema_id = one.register("s", TEXT)

    assert other.schema(schema_id) == TEXT
    assert other.versions("s") == [1]
    found = SchemaRegistry(store).version("s", "latest")
    assert (found.version, found.schema_id) == (1, schema_id)


def test_every_registry_has_the_contract_once(store: Lake) -> None:
    first, again = SchemaRegistry(store), SchemaRegistry(store)

    for registry in (first, again):
        assert set(registry.subjects()) == {*EVENT_TYPES, "event", "feedback-events-value"}
        assert registry.versions("item_rated") == [1]
        assert registry.schema(registry.version("item_rated", 1).schema_id).text.startswith("{")
    assert len(store.list_keys("registry/log")) == 1


def test_the_contract_is_added_to_a_registry_that_is_in_use(lake: Lake) -> None:
    SchemaRegistry(lake).register("s", TEXT)
    mine = SchemaRegistry(lake)
    assert mine.delete_subject("item_rated") == [1]
    assert mine.delete_subject("item_rated", is_permanent=True) == [1]

    assert "item_rated" in SchemaRegistry(lake).subjects()
    # Deleted, but not for good, is somebody's decision.
    mine.delete_subject("item_rated")
    assert "item_rated" not in SchemaRegistry(lake).subjects()


def test_the_same_schema_has_one_id_however_it_is_written(registry: SchemaRegistry) -> None:
    spaced = Schema('{ "minLength": 1,\n"type": "string" }', SchemaType.JSON)
    turned = Schema('{"type":"string","minLength":1}', SchemaType.JSON)
    with_others = Schema(turned.text, SchemaType.JSON, (SchemaReference("x", "item_rated", 1),))

    first = registry.register("a", spaced)

    assert registry.register("a", turned) == first
    assert registry.register("b", turned) == first
    assert registry.register("c", with_others) != first
    assert registry.versions("a") == [1]
    assert registry.schema(first) == spaced
    assert [(v.subject, v.version) for v in registry.versions_of(first)] == [("a", 1), ("b", 1)]


def test_a_descriptor_and_its_source_are_one_schema(registry: SchemaRegistry) -> None:
    descriptor = Schema(serialized(contract_file()), SchemaType.PROTOBUF)

    schema_id = registry.register("feedback-events-value", descriptor)

    assert registry.versions("feedback-events-value") == [1]
    assert registry.schema(schema_id).text.startswith('syntax = "proto3";')
    assert registry.descriptor(schema_id) is not None
    assert registry.descriptor(registry.register("s", TEXT)) is None


def test_a_descriptor_that_no_source_can_say_is_kept_as_it_is(registry: SchemaRegistry) -> None:
    file = contract_file()
    # An option of somebody else's, of which only the number is known.
    file.message_type[0].options.MergeFromString(b"\xc2\x3e\x01x")
    descriptor = Schema(serialized(file), SchemaType.PROTOBUF)

    assert registry.schema(registry.register("s", descriptor)) == descriptor


def test_an_incompatible_schema_is_refused_with_every_reason(registry: SchemaRegistry) -> None:
    registry.register("s", closed("a", "b"))

    with pytest.raises(IncompatibleSchemaError) as refused:
        registry.register("s", closed("a", required=("a",)))

    assert refused.value.messages == [
        "Against version 1: #/required: 'a' is required now",
        (
            "Against version 1: #/additionalProperties: the property 'b' is gone, "
            "and no others are accepted"
        ),
    ]
    assert all(message in str(refused.value) for message in refused.value.messages)
    assert registry.versions("s") == [1]


@pytest.mark.parametrize(
    ("level", "wider", "narrower"),
    [
        (Level.NONE, True, True),
        (Level.BACKWARD, True, False),
        (Level.FORWARD, False, True),
        (Level.FULL, False, False),
        (Level.BACKWARD_TRANSITIVE, True, False),
        (Level.FORWARD_TRANSITIVE, False, True),
        (Level.FULL_TRANSITIVE, False, False),
    ],
)
def test_the_level_decides_what_may_come_next(
    registry: SchemaRegistry, level: Level, *, wider: bool, narrower: bool
) -> None:
    registry.set_level(None, level)
    registry.register("s", closed("a", "b"))

    assert (registry.check("s", None, closed("a", "b", "c")) == []) == wider
    assert (registry.check("s", None, closed("a")) == []) == narrower
    assert registry.check("s", None, closed("b", "a")) == []
    assert registry.check("nobody", None, closed("a")) == []


def test_a_transitive_level_looks_at_all_versions(registry: SchemaRegistry) -> None:
    registry.set_level("s", Level.NONE)
    for schema in (NUMBER, TEXT):
        registry.register("s", schema)

    registry.set_level("s", Level.BACKWARD)
    assert registry.check("s", None, TEXT) == []
    registry.set_level("s", Level.BACKWARD_TRANSITIVE)
    assert registry.check("s", None, EITHER) == []
    (message,) = {message.split(":")[0] for message in registry.check("s", None, TEXT)}
    assert message == "Against version 1"
    # Asked about one version, only this one counts.
    assert registry.check("s", 2, TEXT) == []
    assert registry.check("s", 1, TEXT) != []


def test_another_language_is_incompatible(registry: SchemaRegistry) -> None:
    registry.register("s", TEXT)
    source = Schema('syntax = "proto3"; message M {}', SchemaType.PROTOBUF)

    assert registry.check("s", "latest", source) == [
        "Against version 1: it is PROTOBUF now, and was JSON"
    ]


def test_a_subject_has_the_level_of_all_until_it_has_its_own(registry: SchemaRegistry) -> None:
    assert registry.level() == registry.level("s") == Level.BACKWARD
    assert registry.set_level(None, Level.FULL) == Level.BACKWARD
    assert registry.level("s") == Level.FULL
    assert registry.own_level("s") is None

    assert registry.set_level("s", Level.NONE) == Level.FULL
    assert (registry.level("s"), registry.own_level("s")) == (Level.NONE, Level.NONE)

    assert registry.set_level("s", None) == Level.NONE
    assert registry.level("s") == Level.FULL


def test_a_deleted_version_does_not_count_but_can_be_read(registry: SchemaRegistry) -> None:
    first = registry.register("s", closed("a"))
    second = registry.register("s", closed("a", "b"))
    assert registry.delete_version("s", "latest") == 2

    assert registry.versions("s") == [1]
    assert registry.versions("s", include_deleted=True) == [1, 2]
    assert registry.versions("s", only_deleted=True) == [2]
    assert registry.version("s", "latest").schema_id == first
    assert registry.schema(second) == closed("a", "b")
    with pytest.raises(VersionNotFoundError):
        registry.version("s", 2)
    with pytest.raises(SchemaNotFoundError):
        registry.lookup("s", closed("a", "b"))
    assert registry.lookup("s", closed("a", "b"), include_deleted=True).version == 2
    # Registered again it is a new version, of the same schema.
    assert registry.register("s", closed("a", "b")) == second
    assert registry.versions("s") == [1, 3]


def test_what_is_deleted_for_good_is_gone_and_its_id_is_never_given_again(
    registry: SchemaRegistry,
) -> None:
    gone = registry.register("s", TEXT)
    registry.delete_subject("s")
    registry.delete_subject("s", is_permanent=True)

    with pytest.raises(SchemaNotFoundError):
        registry.schema(gone)
    with pytest.raises(SubjectNotFoundError):
        registry.versions("s", include_deleted=True)
    assert registry.register("s", TEXT) == gone + 1
    assert registry.versions("s") == [1]


def test_the_order_of_deleting(registry: SchemaRegistry) -> None:
    registry.register("s", TEXT)

    def obstacle(action: Callable[[], object]) -> str:
        with pytest.raises(RegistryOperationError) as refused:
            action()
        return refused.value.reason

    def delete_version() -> object:
        return registry.delete_version("s", 1)

    def delete_subject() -> object:
        return registry.delete_subject("s")

    assert (
        obstacle(lambda: registry.delete_version("s", 1, is_permanent=True))
        == "version_not_deleted"
    )
    assert obstacle(lambda: registry.delete_subject("s", is_permanent=True)) == (
        "subject_not_deleted"
    )
    delete_version()
    assert obstacle(delete_version) == "version_deleted"
    assert obstacle(delete_subject) == "subject_deleted"
    assert registry.delete_subject("s", is_permanent=True) == [1]


def test_what_others_import_is_not_deleted(registry: SchemaRegistry) -> None:
    registry.register("name", TEXT)
    reference = SchemaReference("name.json", "name", 1)
    person = Schema('{"properties":{"n":{"$ref":"name.json"}}}', SchemaType.JSON, (reference,))
    schema_id = registry.register("person", person)

    assert registry.referenced_by("name", 1) == [schema_id]
    with pytest.raises(RegistryOperationError, match=f"imported by schemas {schema_id}"):
        registry.delete_subject("name")
    registry.delete_subject("person")
    assert registry.delete_subject("name") == [1]


def test_a_reference_that_leads_nowhere_is_refused(registry: SchemaRegistry) -> None:
    reference = SchemaReference("name.json", "nobody", 1)

    with pytest.raises(InvalidSchemaError, match=r"name\.json"):
        registry.register("s", Schema("{}", SchemaType.JSON, (reference,)))


@pytest.mark.parametrize("subject", ["", "a\nb", "a\0", "x" * 1001])
def test_a_name_that_is_no_subject(registry: SchemaRegistry, subject: str) -> None:
    with pytest.raises(InvalidSubjectError):
        registry.register(subject, TEXT)
    with pytest.raises(InvalidSubjectError):
        registry.set_level(subject, Level.NONE)


@pytest.mark.parametrize("schema_id", [0, -1, 10**9])
def test_an_id_that_nobody_was_given(registry: SchemaRegistry, schema_id: int) -> None:
    with pytest.raises(SchemaNotFoundError):
        registry.schema(schema_id)


def test_many_who_register_at_once_agree(store: Lake) -> None:
    registries = [SchemaRegistry(store) for _ in range(6)]
    start = threading.Barrier(len(registries))

    def register(index: int) -> dict[int, int]:
        start.wait()
        return {
            number: registries[index].register(f"s{number % 2}", json_schema(title=str(number)))
            for number in range(5)
        }

    with ThreadPoolExecutor(len(registries)) as pool:
        outcomes = list(pool.map(register, range(len(registries))))

    ids = outcomes[0]
    assert all(outcome == ids for outcome in outcomes)
    assert len(set(ids.values())) == len(ids)
    final = SchemaRegistry(store)
    assert final.versions("s0") == [1, 2, 3]
    assert final.versions("s1") == [1, 2]
    registered = {final.version("s0", n).schema_id for n in (1, 2, 3)}
    assert registered == {ids[0], ids[2], ids[4]}


def test_of_two_that_exclude_each_other_only_one_gets_in(lake: Lake) -> None:
    """Each is compatible with what both saw first; after the other it is not."""
    for attempt in range(10):
        subject = f"s{attempt}"
        start = threading.Barrier(2)

        def register(schema: Schema, subject: str = subject, start: Any = start) -> bool:
            registry = SchemaRegistry(lake)
            registry.subjects()
            start.wait()
            try:
                registry.register(subject, schema)
            except IncompatibleSchemaError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            admitted = list(pool.map(register, (TEXT, NUMBER)))

        assert sorted(admitted) == [False, True]
        assert SchemaRegistry(lake).versions(subject) == [1]


class _Comparing:
    """Stops where schemas are compared, and compares them when it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()
        self.count = 0
        monkeypatch.setattr("feedback_platform.events.registry.registry.violations", self._stop)

    def _stop(self, *arguments: Any) -> list[str]:
        self.count += 1
        self.has_begun.set()
        assert self.may_go_on.wait(30)
        return violations(*arguments)


def test_while_schemas_are_compared_nobody_waits(
    registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = registry.register("s", TEXT)
    comparing = _Comparing(monkeypatch)

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(registry.register, "s", EITHER)
        assert comparing.has_begun.wait(30)
        try:
            others = pool.submit(
                lambda: (
                    registry.schema(first),
                    registry.versions("s"),
                    registry.register("t", TEXT),
                )
            )
            assert others.result(30) == (TEXT, [1], first)
        finally:
            comparing.may_go_on.set()
        assert slow.result(30) == first + 1
    assert registry.versions("s") == [1, 2]


def test_what_was_registered_during_a_comparison_is_compared_too(
    registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register("s", TEXT)
    comparing = _Comparing(monkeypatch)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(registry.register, "s", TITLED)
        assert comparing.has_begun.wait(30)
        # By another process, so to say: it does not stop here.
        monkeypatch.undo()
        registry.register("s", EITHER)
        comparing.may_go_on.set()
        with pytest.raises(IncompatibleSchemaError, match="Against version 2"):
            slow.result(30)

    assert registry.versions("s") == [1, 2]


def test_what_others_register_elsewhere_needs_no_second_comparison(
    registry: SchemaRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register("s", TEXT)
    comparing = _Comparing(monkeypatch)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(registry.register, "s", EITHER)
        assert comparing.has_begun.wait(30)
        registry.register("t", NUMBER)
        comparing.may_go_on.set()
        slow.result(30)

    assert comparing.count == 1


class _Interrupted:
    """A lake whose next write fails, before or after it was made, or is repeated by its client."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.fails: Literal["before", "after", "repeated", "never"] = "never"

    def find(self, key: str) -> bytes | None:
        return self.lake.find(key)

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        return self.lake.list_keys(prefix, after=after)

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        fails, self.fails = self.fails, "never"
        if fails == "before":
            raise LakeUnavailableError("away")
        self.lake.put(key, data, mode=mode)
        if fails == "repeated":
            self.lake.put(key, data, mode=mode)
        if fails == "after":
            raise LakeUnavailableError("no answer")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_write_that_failed_may_be_tried_again(
    lake: Lake, moment: Literal["before", "after"]
) -> None:
    store = _Interrupted(lake)
    registry = SchemaRegistry(store)
    registry.subjects()
    store.fails = moment

    with pytest.raises(LakeUnavailableError):
        registry.register("s", TEXT)
    schema_id = registry.register("s", TEXT)

    assert registry.versions("s") == [1]
    assert SchemaRegistry(lake).version("s", 1).schema_id == schema_id


def test_a_write_whose_repetition_met_itself_is_no_change_of_somebody_else(lake: Lake) -> None:
    store = _Interrupted(lake)
    registry = SchemaRegistry(store)
    registry.register("s", TEXT)
    store.fails = "repeated"

    # Decided upon again, it would be refused: the version is deleted already.
    assert registry.delete_version("s", 1) == 1
    assert "s" not in registry.subjects()


def test_the_log_is_append_only(lake: Lake, registry: SchemaRegistry) -> None:
    registry.register("s", TEXT)
    (first, second) = lake.list_keys("registry/log")

    with pytest.raises(LakeObjectExistsError):
        lake.put(second, b"{}", mode="create")
    assert first < second
