"""What the registry answers to requests that no well-behaved client sends."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from feedback_platform.errors import LakeAccessError, LakeUnavailableError
from feedback_platform.events.schemas.json_schema.drafts import DRAFTS
from feedback_platform.lake.store import Lake
from feedback_platform.serving import registry_requests
from feedback_platform.serving.registry_requests import (
    MAX_BODY_BYTES,
    MEDIA_TYPE,
    Call,
    RegistryHandlers,
)
from feedback_platform_tests.serving.registry_server import (
    FailingStore,
    RegistryServer,
    running_registry,
)

POST = ("POST", "/subjects/s/versions")
DRAFT_3 = "http://json-schema.org/draft-03/schema#"
A_SCHEMA = {"schema": '{"type":"string"}', "schemaType": "JSON"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with running_registry(Lake(f"file://{tmp_path_factory.mktemp('lake')}")) as running:
        yield running


def refusal(
    server: RegistryServer, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, int, str]:
    answer = server.ask(method, path, body, headers)
    assert set(answer.content) == {"error_code", "message"}
    assert answer.headers["content-type"] == MEDIA_TYPE
    return answer.status, answer.content["error_code"], answer.content["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/subjects/none/versions", None, (404, 40401)),
        ("GET", "/subjects/none/versions/1", None, (404, 40401)),
        ("GET", "/subjects/item_rated/versions/99", None, (404, 40402)),
        ("GET", "/subjects/item_rated/versions/0", None, (422, 42202)),
        ("GET", "/subjects/item_rated/versions/first", None, (422, 42202)),
        ("GET", "/subjects/item_rated/versions/" + "9" * 400, None, (422, 42202)),
        ("GET", "/subjects/item_rated/versions/%C2%B2", None, (422, 42202)),
        ("GET", "/schemas/ids/999999", None, (404, 40403)),
        ("GET", "/schemas/ids/one", None, (404, 40403)),
        ("POST", "/subjects/none", A_SCHEMA, (404, 40401)),
        ("POST", "/subjects/item_rated", A_SCHEMA, (404, 40403)),
        ("GET", "/nothing", None, (404, 404)),
        ("PATCH", "/subjects", None, (405, 405)),
        ("GET", "/subjects/", None, (405, 405)),
        (*POST, {**A_SCHEMA, "schema": '{"type":"strng"}'}, (422, 42201)),
        (*POST, {**A_SCHEMA, "schema": "{"}, (422, 42201)),
        *[
            (*POST, {**A_SCHEMA, "schema": json.dumps(schema)}, (422, 42201))
            for schema in (
                {"$schema": "http://json-schema.org/draft-03/schema#"},
                {"$id": "http://["},
                {"$id": 3},
                {"$ref": "//["},
            )
        ],
        (*POST, {**A_SCHEMA, "schema": "[1]"}, (422, 42201)),
        (*POST, {**A_SCHEMA, "schema": 3}, (422, 42201)),
        (*POST, {"schemaType": "JSON"}, (422, 42201)),
        (*POST, {"schema": '"string"'}, (422, 42201)),
        (*POST, {**A_SCHEMA, "schemaType": ["JSON"]}, (422, 42201)),
        (*POST, {**A_SCHEMA, "references": {"a": 1}}, (422, 42201)),
        (*POST, {**A_SCHEMA, "references": [1]}, (422, 42201)),
        (*POST, {**A_SCHEMA, "references": [{"name": "a"}]}, (422, 42201)),
        (
            *POST,
            {**A_SCHEMA, "references": [{"name": "a", "subject": "none", "version": 1}]},
            (422, 42201),
        ),
        (
            *POST,
            {**A_SCHEMA, "references": [{"name": "a", "subject": "none", "version": -1}]},
            (422, 42201),
        ),
        (
            *POST,
            {**A_SCHEMA, "references": [{"name": "a", "subject": "none", "version": "²"}]},
            (422, 42201),
        ),
        (
            *POST,
            {**A_SCHEMA, "references": [{"name": "a", "subject": "b", "version": 1}] * 501},
            (422, 42201),
        ),
        (*POST, {**A_SCHEMA, "ruleSet": {"domainRules": []}}, (422, 42201)),
        (*POST, {"schema": "message {", "schemaType": "PROTOBUF"}, (422, 42201)),
        (*POST, {"schema": "AAAA", "schemaType": "PROTOBUF"}, (422, 42201)),
        (*POST, {"schema": "", "schemaType": "PROTOBUF"}, (422, 42201)),
        ("POST", "/subjects/%00/versions", A_SCHEMA, (422, 42208)),
        ("POST", f"/subjects/{'s' * 1001}/versions", A_SCHEMA, (422, 42208)),
        ("POST", "/subjects//versions", A_SCHEMA, (422, 42208)),
        ("PUT", "/config", {"compatibility": "SIDEWAYS"}, (422, 42203)),
        ("PUT", "/config", {}, (422, 42203)),
        ("PUT", "/config", {"compatibilityGroup": "a"}, (422, 42203)),
        ("GET", "/config/none", None, (404, 40408)),
        ("PUT", "/mode", {"mode": "READONLY"}, (422, 42205)),
        ("POST", "/compatibility/subjects/none/versions/1", A_SCHEMA, (404, 40401)),
        ("GET", "/subjects?offset=x", None, (400, 400)),
        ("GET", "/subjects?limit=%C2%B2", None, (400, 400)),
        ("GET", "/subjects?limit=" + "9" * 5_000, None, (400, 400)),
        ("GET", "/schemas/ids/%C2%B2", None, (404, 40403)),
        ("DELETE", "/subjects/item_rated/versions/%C2%B2", None, (422, 42202)),
        ("POST", "/compatibility/subjects/item_rated/versions/%C2%B2", A_SCHEMA, (422, 42202)),
        ("DELETE", "/subjects/none", None, (404, 40401)),
        ("DELETE", "/subjects/item_rated/versions/1?permanent=true", None, (404, 40407)),
        ("DELETE", "/subjects/item_rated?permanent=true", None, (404, 40405)),
    ],
)
def test_each_mistake_has_its_code(
    server: RegistryServer, method: str, path: str, body: Any, expected: tuple[int, int]
) -> None:
    status, code, message = refusal(server, method, path, body)

    assert (status, code) == expected
    assert message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"schema": NaN}',
        b'{"schema": "\\ud800"}',
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"\xff\xfe",
    ],
)
def test_a_body_that_is_no_json_object_is_a_bad_request(
    server: RegistryServer, body: bytes
) -> None:
    assert refusal(server, *POST, body)[:2] == (400, 400)


def test_a_body_of_another_media_type_is_not_read(server: RegistryServer) -> None:
    assert refusal(server, *POST, b"<a/>", **{"Content-Type": "text/xml"})[:2] == (415, 415)
    assert refusal(server, *POST, b"{}", **{"Content-Encoding": "gzip"})[:2] == (415, 415)


def test_a_body_of_the_allowed_size_is_read_and_a_larger_one_is_not(
    server: RegistryServer,
) -> None:
    empty = len(json.dumps({**A_SCHEMA, "schema": json.dumps({"description": ""})}))
    fitting = json.dumps({"description": "x" * (MAX_BODY_BYTES - empty)})
    body = json.dumps({**A_SCHEMA, "schema": fitting}).encode()
    assert len(body) == MAX_BODY_BYTES

    assert server.ask("POST", "/subjects/long/versions", body).status == 200
    assert refusal(server, "POST", "/subjects/long/versions", body + b" ")[:2] == (413, 413)


def test_a_body_that_is_sent_in_pieces_is_cut_off_at_the_limit(server: RegistryServer) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    pieces = (b"x" * 65_536 for _ in range(200))
    try:
        connection.request("POST", "/registry/subjects/s/versions", pieces, encode_chunked=True)
        answer = connection.getresponse()
        assert answer.status == 413
    except (BrokenPipeError, ConnectionResetError):
        # The server answered and hung up before all of it was sent.
        pass
    finally:
        connection.close()
    assert server.ask("GET", "/subjects").status == 200


def test_a_half_sent_request_harms_nobody(server: RegistryServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(
            b"POST /registry/subjects/s/versions HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )

    assert server.ask("GET", "/subjects").status == 200


def test_a_subject_may_be_called_anything_printable(server: RegistryServer) -> None:
    assert server.ask("POST", "/subjects/a%2Fb%20%C3%A9/versions", A_SCHEMA).status == 200

    assert "a/b é" in server.ask("GET", "/subjects").content
    assert server.ask("GET", "/subjects/a%2Fb%20%C3%A9/versions/latest").content["version"] == 1


def test_pages_of_a_list(server: RegistryServer) -> None:
    everything = server.ask("GET", "/subjects").content

    assert server.ask("GET", "/subjects?offset=2&limit=3").content == everything[2:5]
    assert server.ask("GET", "/subjects?limit=-1").content == everything
    named = [name for name in everything if name.startswith("item_")]
    assert server.ask("GET", "/subjects?subjectPrefix=item_").content == named


def test_a_protobuf_schema_is_read_as_its_source_and_serialised(server: RegistryServer) -> None:
    path = "/subjects/feedback-events-value/versions/latest"
    source = server.ask("GET", path).content
    descriptor = server.ask("GET", f"{path}?format=serialized").content

    assert source["schemaType"] == "PROTOBUF"
    assert source["schema"].startswith('syntax = "proto3";')
    assert {**source, "schema": descriptor["schema"]} == descriptor
    by_id = server.ask("GET", f"/schemas/ids/{source['id']}?format=serialized").content
    assert by_id["schema"] == descriptor["schema"]
    assert server.ask("GET", f"/schemas/ids/{source['id']}/schema").content == source["schema"]
    assert server.ask("GET", f"{path}/schema").content == source["schema"]


def test_a_key_is_asked_for_before_a_body_is_read(tmp_path: Any) -> None:
    with running_registry(Lake(f"file://{tmp_path}"), {"ops": "k"}) as guarded:
        for method, path in (
            POST,
            ("DELETE", "/subjects/s"),
            ("DELETE", "/subjects/s/versions/1"),
            ("PUT", "/config"),
            ("PUT", "/config/s"),
            ("DELETE", "/config/s"),
            ("PUT", "/mode"),
        ):
            assert refusal(guarded, method, path, b"{")[:2] == (401, 40101), path
        for header in ({"X-API-Key": "wrong"}, {"Authorization": "Basic §"}, {"Authorization": ""}):
            sent = {
                name: value.encode("latin-1").decode("latin-1") for name, value in header.items()
            }
            assert refusal(guarded, *POST, A_SCHEMA, **sent)[:2] == (401, 40101)
        assert guarded.ask(*POST, A_SCHEMA, {"X-API-Key": "k"}).status == 200
        assert guarded.ask("POST", "/subjects/s", A_SCHEMA).status == 200
        assert guarded.ask("POST", "/compatibility/subjects/s/versions/1", A_SCHEMA).status == 200


def test_a_store_that_fails_for_now_is_worth_another_attempt() -> None:
    with running_registry(FailingStore(LakeUnavailableError("s3://bucket is away"))) as server:
        answer = server.ask("GET", "/subjects")

    assert (answer.status, answer.content["error_code"]) == (503, 50001)
    assert answer.headers["retry-after"] == "1"
    assert "bucket" not in answer.content["message"]


def test_a_store_that_refuses_access_is_an_error_of_the_server() -> None:
    with running_registry(FailingStore(LakeAccessError("no rights on s3://bucket"))) as server:
        answer = server.ask("GET", "/subjects")

    assert (answer.status, answer.content["error_code"]) == (500, 50001)
    assert "bucket" not in answer.content["message"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=10), parts),
    max_leaves=10,
)
# Schemas that a person might have got wrong: keywords with values that others take.
KEYWORDS = st.sampled_from(sorted({keyword for draft in DRAFTS for keyword in draft.keywords}))
VALUES = JSON | st.sampled_from(
    ["#", "#/not", "#/allOf/²", "#/allOf/0", "#x", "http://[", "//[::1", "²", "string", -1, 1e300]
)
SCHEMAS = st.recursive(
    VALUES,
    lambda parts: (
        st.dictionaries(KEYWORDS, parts | st.lists(parts, max_size=2), max_size=4)
        | st.dictionaries(st.text(max_size=3), parts, max_size=2)
    ),
    max_leaves=8,
)
NAMED = st.tuples(
    st.sampled_from([*(draft.name for draft in DRAFTS), "http://[", DRAFT_3]), SCHEMAS
).map(lambda pair: {"$schema": pair[0], "not": pair[1]})
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {},
        optional={
            "schema": JSON | JSON.map(json.dumps),
            "schemaType": st.sampled_from(["JSON", "PROTOBUF"]) | JSON,
            "references": JSON
            | st.lists(
                st.fixed_dictionaries({"name": JSON, "subject": JSON, "version": JSON}), max_size=2
            ),
            "compatibility": JSON,
        },
    ).map(lambda value: json.dumps(value).encode())
    | (SCHEMAS | NAMED).map(
        lambda schema: json.dumps({"schemaType": "JSON", "schema": json.dumps(schema)}).encode()
    )
)
PATHS = st.sampled_from(
    [
        ("POST", "/subjects/fuzz/versions"),
        ("POST", "/subjects/always-another/versions"),
        ("POST", "/subjects/item_rated"),
        ("POST", "/compatibility/subjects/item_rated/versions/latest"),
        ("PUT", "/config/fuzz"),
    ]
)


@given(path=PATHS, body=BODIES)
@settings(max_examples=300)
def test_no_body_is_an_error_of_the_server(
    server: RegistryServer, path: tuple[str, str], body: bytes
) -> None:
    answer = server.ask(*path, body)

    assert answer.status < 500, answer.content
    if answer.status != 200:
        assert answer.content["message"]


# A path with a line break does not get as far as the registry: it is mounted under another one.
CHARACTERS = st.characters(exclude_characters="\n", codec="utf-8")
PARTS = st.text(CHARACTERS, max_size=8) | st.sampled_from(
    ["-1", "²", "1", "latest", "9" * 30, "item_rated"]
)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    template=st.sampled_from(
        [
            "/subjects/{0}/versions/{1}",
            "/subjects/{0}/versions/{1}/schema",
            "/subjects/{0}/versions/{1}/referencedby",
            "/subjects/{0}/versions?offset={1}&limit={1}&deleted={0}",
            "/subjects/{0}?permanent={1}",
            "/schemas/ids/{0}?format={1}",
            "/schemas/ids/{0}/versions?subject={1}",
            "/compatibility/subjects/{0}/versions/{1}",
            "/config/{0}?defaultToGlobal={1}",
            "/mode/{0}",
        ]
    ),
    one=PARTS,
    other=PARTS,
)
@settings(max_examples=150)
def test_no_path_is_an_error_of_the_server(
    server: RegistryServer, method: str, template: str, one: str, other: str
) -> None:
    path = template.format(quote(one, safe=""), quote(other, safe=""))

    answer = server.ask(method, path, A_SCHEMA if method in ("POST", "PUT") else None)

    assert answer.status < 500, (path, answer.content)
    assert answer.status < 400 or set(answer.content) == {"error_code", "message"}


def test_who_only_asks_does_not_wait_for_schemas_to_be_read() -> None:
    """Schemas are read one after the other, for the sake of who shares the process."""
    handlers = RegistryHandlers({})
    may_go_on, reading = threading.Event(), threading.Semaphore(0)

    def read(_call: Call) -> str:
        reading.release()
        assert may_go_on.wait(30)
        return "read"

    application = Starlette(
        routes=[
            Route("/read", handlers.handler(read, reads_schema=True)),
            Route("/ask", handlers.handler(lambda _call: "known")),
        ]
    )
    with TestClient(application) as client, ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(client.get, "/read") for _ in range(6)]
        try:
            assert reading.acquire(timeout=30)
            assert client.get("/ask").json() == "known"
            assert not reading.acquire(blocking=False)
        finally:
            may_go_on.set()
        assert [answer.result(30).json() for answer in slow] == ["read"] * 6


def test_whoever_has_waited_too_long_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry_requests, "_WAIT_SECONDS", 0.05)
    may_go_on = threading.Event()
    hang = RegistryHandlers({}).handler(lambda _call: may_go_on.wait(30))
    # More than there are threads: those who stand in the line are told the same.
    with TestClient(Starlette(routes=[Route("/", hang)])) as client, ThreadPoolExecutor(8) as pool:
        try:
            answers = list(pool.map(client.get, ["/"] * 8))
        finally:
            may_go_on.set()
        for answer in answers:
            assert (answer.status_code, answer.json()["error_code"]) == (503, 50001)
            assert answer.headers["retry-after"] == "1"
        monkeypatch.undo()
        assert client.get("/").json() is True
