"""The contract and what was released of it; this is what CI relies on when the contract changes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_platform.events.schemas.release import (
    RELEASED,
    ReleasedDocument,
    contract_problems,
    current_documents,
    release,
    released_documents,
)
from feedback_platform.events.schemas.schema import Schema


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of what was released."""
    return shutil.copytree(RELEASED, tmp_path / "released")


def named(documents: list[ReleasedDocument], filename: str) -> ReleasedDocument:
    (found,) = (document for document in documents if document.filename == filename)
    return found


def exchanged(
    documents: list[ReleasedDocument], document: ReleasedDocument, **changes: object
) -> list[ReleasedDocument]:
    """The contract with one document changed."""
    changed = replace(document, **changes)  # type: ignore[arg-type]
    return [changed if other is document else other for other in documents]


def with_rule(document: ReleasedDocument, name: str, **rules: object) -> Schema:
    """The schema of a document with rules for one field that differ."""
    content = json.loads(document.schema.text)
    content["properties"][name].update(rules)
    return replace(document.schema, text=json.dumps(content))


def test_the_contract_is_as_it_was_released() -> None:
    problems = contract_problems()

    assert not problems, "\n".join(problems)


def test_every_file_that_was_released_is_one_of_the_contract() -> None:
    files = {path.name for path in RELEASED.iterdir()}

    assert files == {document.filename for document in released_documents()}


def test_what_was_released_is_not_written_again(directory: Path) -> None:
    path = directory / "item_rated.v1.json"
    path.write_text("{}")

    assert release(directory) == []
    assert path.read_text() == "{}"


def test_what_is_new_is_written_as_the_contract_says(tmp_path: Path) -> None:
    directory = tmp_path / "released"

    assert sorted(release(directory)) == sorted(path.name for path in RELEASED.iterdir())
    for path in RELEASED.iterdir():
        assert (directory / path.name).read_bytes() == path.read_bytes()


def test_a_change_without_a_new_version_is_found_and_told_what_to_do() -> None:
    current = current_documents()
    rated = named(current, "item_rated.v1.json")
    changed = exchanged(current, rated, schema=with_rule(rated, "value", maximum=10))

    (problem,) = contract_problems(changed)

    assert problem == (
        "The contract says something else than item_rated.v1.json, which was released. Raise the "
        "version of 'item_rated' in feedback_platform/events/contract.py to 2, then run "
        "`feedback-platform contract release` and commit the new file; or take the change back."
    )


def test_a_new_version_has_to_be_released() -> None:
    current = current_documents()
    rated = named(current, "item_rated.v1.json")
    wider = exchanged(current, rated, version=2, schema=with_rule(rated, "value", maximum=10))

    (problem,) = contract_problems(wider)

    assert "item_rated.v2.json is not released" in problem
    assert "feedback-platform contract release" in problem


def test_a_new_version_has_to_take_what_the_older_ones_took(directory: Path) -> None:
    current = current_documents()
    rated = named(current, "item_rated.v1.json")
    narrower = exchanged(current, rated, version=3, schema=with_rule(rated, "value", maximum=4))
    # Version 2 was a wider one: version 3 breaks with both.
    wider = with_rule(rated, "value", maximum=10)
    (directory / "item_rated.v2.json").write_text(wider.text)

    problems = " ".join(contract_problems(narrower, directory))

    assert "item_rated.v3.json does not take what item_rated.v1.json took" in problems
    assert "has to be at most 4 now, not 10" in problems


def test_a_version_is_never_taken_back(directory: Path) -> None:
    shutil.copy(directory / "item_rated.v1.json", directory / "item_rated.v2.json")

    (problem,) = contract_problems(directory=directory)

    assert "item_rated.v2.json was released, but the contract is at version 1" in problem


def test_a_type_is_never_taken_back() -> None:
    current = [document for document in current_documents() if document.name != "item_rated"]

    (problem,) = contract_problems(current)

    assert "the contract has no 'item_rated' any more" in problem


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("double value = 10", "string value = 10", "it is string now, and was double"),
        ("double value = 10", "double amount = 10", "is called 'amount' and was 'value'"),
        ("  optional double value = 10;\n", "", "is called 'nothing' and was 'value'"),
    ],
)
def test_a_field_number_keeps_its_meaning_and_its_name(before: str, after: str, said: str) -> None:
    current = current_documents()
    event = named(current, "event.v1.proto")
    text = event.schema.text.replace(before, after)
    assert text != event.schema.text
    changed = exchanged(current, event, version=2, schema=replace(event.schema, text=text))

    assert said in " ".join(contract_problems(changed))
