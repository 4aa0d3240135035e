from __future__ import annotations

import json

import pytest

from feedback_platform.events.schemas.release import RELEASED
from feedback_platform_tests.cli.conftest import Run


def test_the_schema_of_a_type_is_printed(run: Run) -> None:
    finished = run("contract", "show", "item_rated")

    assert finished.code == 0
    assert finished.output == (RELEASED / "item_rated.v1.json").read_text()


def test_without_a_type_it_is_the_schema_over_all(run: Run) -> None:
    assert run("contract", "show").output == (RELEASED / "event.v1.json").read_text()


@pytest.mark.parametrize("arguments", [(), ("item_rated",)])
def test_one_protobuf_message_stands_for_all_types(run: Run, arguments: tuple[str, ...]) -> None:
    finished = run("contract", "show", *arguments, "--format", "protobuf")

    assert finished.output == (RELEASED / "event.v1.proto").read_text()


def test_a_type_that_does_not_exist(run: Run) -> None:
    finished = run("contract", "show", "item_hovered")

    assert (finished.code, finished.output) == (1, "")
    (line,) = finished.errors.splitlines()
    assert "'item_hovered'" in line
    assert "item_rated" in line


def test_the_contract_of_this_installation_is_in_order(run: Run) -> None:
    assert json.loads(run("contract", "check", "--json").output) == {"ok": True, "problems": []}
    assert run("contract", "check").output.startswith("ok ")


def test_nothing_is_released_twice(run: Run) -> None:
    assert json.loads(run("contract", "release", "--json").output) == {"released": []}
