"""Requests made up from the OpenAPI document: the answers are those that it promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from feedback_platform.lake.store import Lake
from feedback_platform.serving.ofrep import STREAM
from feedback_platform.serving.openapi import openapi_document
from feedback_platform_tests.serving.flag_server import apply_flags, evaluate
from feedback_platform_tests.serving.made_up_lists import publish_made_up_lists
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.waiting import until

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# A fixed budget for each operation.
_BUDGET = settings(max_examples=20, suppress_health_check=list(HealthCheck), derandomize=True)
_OPERATIONS: dict[str, Any] = {}
for _found in schemathesis.openapi.from_dict(openapi_document()).get_all_operations():
    _operation: Any = _found.ok()  # type: ignore[union-attr]
    # An answer without an end is another test's.
    if _operation.path == STREAM:
        continue
    _OPERATIONS[f"{_operation.method.upper()} {_operation.path}"] = _operation
# What takes no body and no parameters cannot be asked wrongly.
_ASKED = [
    (name, mode)
    for name in _OPERATIONS
    for mode in schemathesis.GenerationMode
    if name.startswith(("POST", "PUT", "GET /v1/recommendations"))
    or mode is schemathesis.GenerationMode.POSITIVE
]


def _operation_of_flags(name: str) -> bool:
    return " /ofrep/" in name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with flags of every kind, and with lists."""
    with running_server(tmp_path_factory.mktemp("server") / "data") as running:
        apply_flags(running)
        publish_made_up_lists(Lake(running.settings.lake_url), ["0"])
        until(lambda: evaluate(running, "switch").status == 200)
        until(lambda: running.ask("GET", "/v1/recommendations/0").status == 200)
        yield running


@pytest.mark.parametrize(("name", "mode"), _ASKED)
def test_every_answer_is_as_documented(
    server: RunningServer, name: str, mode: schemathesis.GenerationMode
) -> None:
    statuses: set[int] = set()

    @_BUDGET
    @given(case=_OPERATIONS[name].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(base_url=f"http://127.0.0.1:{server.port}")
        case.validate_response(response, checks=_CHECKS)
        statuses.add(response.status_code)
        if response.status_code >= 400 and not _operation_of_flags(name):
            assert set(json.loads(response.content)) == {"code", "message"}

    ask()
    if mode is schemathesis.GenerationMode.POSITIVE:
        # A key that somebody makes up is that of no flag, and an id that of no item or request.
        is_made_up = name.endswith(("{key}", "{item_id}", "{subject_request_id}"))
        assert statuses & ({404} if is_made_up else {200, 201, 202, 204})
