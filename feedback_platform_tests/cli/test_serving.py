"""`serve`: what it refuses to do, and that it says where it listens."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from feedback_platform.adjustment.flags.changes import with_state
from feedback_platform.adjustment.flags.definitions_file import shipped_definitions
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.cli.serving import (
    check_senders,
    shown_paths,
    take_over_flags,
    with_protected_registry,
)
from feedback_platform.errors import InvalidInputError, LakeUnavailableError
from feedback_platform.lake.store import Lake
from feedback_platform.settings import PROJECT_DIR, load_settings
from feedback_platform_tests.adjustment.flags.definitions import ADA, flag
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.serving.flag_server import FLAGS, evaluate, opened_stream
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.serving_process import serving_process
from feedback_platform_tests.waiting import until


def test_a_port_that_is_taken_is_named(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = run("serve", "--port", str(port))
    assert finished.code == 1
    assert finished.output == ""
    assert finished.errors.startswith(f"Error: Port {port} of 127.0.0.1 cannot be used")
    assert "--port" in finished.errors


def test_an_address_of_another_machine_is_refused(run: Run) -> None:
    finished = run("serve", "--host", "192.0.2.1", "--without-write-keys")
    assert finished.code == 1
    assert "192.0.2.1" in finished.errors


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104
def test_without_keys_it_listens_to_this_machine_only(run: Run, host: str) -> None:
    finished = run("serve", "--host", host)
    assert finished.code == 1
    assert "FEEDBACK_WRITE_KEYS" in finished.errors
    assert "--without-write-keys" in finished.errors


def test_a_demo_page_that_could_not_work_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_DEMO", "on")
    monkeypatch.setenv("FEEDBACK_WRITE_KEYS", "shop:4f9c2e81")
    finished = run("serve")
    assert finished.code == 1
    assert "FEEDBACK_DEMO" in finished.errors
    assert "a key named demo" in finished.errors


def test_where_the_demo_page_is_its_path_is_shown(tmp_path: Path) -> None:
    assert "/demo" in shown_paths(load_settings(tmp_path, {}))
    assert "/demo" not in shown_paths(load_settings(tmp_path, {"FEEDBACK_DEMO": "off"}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_may_be_called_by_any_of_its_names(tmp_path: Path, host: str) -> None:
    check_senders(load_settings(tmp_path, {}), host)


def test_with_keys_it_listens_to_others(tmp_path: Path) -> None:
    others = "0.0.0.0"  # noqa: S104
    check_senders(load_settings(tmp_path, {"FEEDBACK_WRITE_KEYS": "web:abc"}), others)
    with pytest.raises(InvalidInputError):
        check_senders(load_settings(tmp_path, {}), others)


@pytest.mark.parametrize(
    "name",
    [
        "FEEDBACK_EVENT_MAPPING",
        "FEEDBACK_CLEANING_RULES",
        "FEEDBACK_GATE_RULES",
        "FEEDBACK_TRIGGER_RULES",
        "FEEDBACK_MONITORING_RULES",
        "FEEDBACK_FLAGS",
    ],
)
def test_a_file_that_is_not_there_is_named_at_start(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/nowhere/own.toml")
    finished = run("serve")
    assert finished.code == 1
    assert "/nowhere/own.toml" in finished.errors


def test_the_definitions_of_flags_are_taken_over_at_start_and_not_over_what_was_changed_since(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.toml"
    file.write_text((PROJECT_DIR / "docs" / "flags.toml").read_text())
    settings = load_settings(tmp_path / "data", {"FEEDBACK_FLAGS": str(file)})
    flags = Flags(Lake(settings.lake_url))

    take_over_flags(settings)
    assert flags.history("ratings")[0].author.by == "file:own.toml"
    flags.edit("ratings", lambda old: with_state(old, is_enabled=False), ADA)
    take_over_flags(settings)

    assert not flags.refresh().flags["ratings"].flag.is_enabled
    assert flags.refresh().position == 2
    assert capsys.readouterr().err == ""


def test_without_definitions_the_flags_that_ship_are_taken_over(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "data", {})
    take_over_flags(settings)
    flags = Flags(Lake(settings.lake_url))
    assert flags.refresh().flags.keys() == shipped_definitions().keys()
    assert flags.history("layout-home")[0].author.by == "file:flags that ship"


def test_a_mistake_in_the_definitions_of_flags_is_named_at_start(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[flags.x]\ntype = "bool"\n')
    settings = load_settings(tmp_path / "data", {"FEEDBACK_FLAGS": str(tmp_path / "own.toml")})
    with pytest.raises(InvalidInputError, match=r"own\.toml: flag x: type is 'bool'"):
        take_over_flags(settings)


def test_a_store_that_does_not_answer_keeps_no_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.toml").write_text("")
    settings = load_settings(tmp_path / "data", {"FEEDBACK_FLAGS": str(tmp_path / "own.toml")})

    def fail(_flags: Flags) -> None:
        raise LakeUnavailableError("away")

    monkeypatch.setattr(Flags, "refresh", fail)
    take_over_flags(settings)
    assert capsys.readouterr().err == ("Warning: the definitions of flags are not applied: away\n")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_read_users_and_has_a_stream_open_stops_without_a_word(
    tmp_path: Path, free_port: int, workers: int
) -> None:
    publish_users(
        tmp_path / "data" / "published" / "feedback.duckdb", segments={"ada": "x"}, opted_out=[]
    )
    settings = load_settings(tmp_path / "data", {})
    Flags(Lake(settings.lake_url)).apply(FLAGS, ADA)
    fans = flag({"when": [{"attribute": "segment", "equals": "x"}], "variant": "grid"})
    Flags(Lake(settings.lake_url)).apply({"layout": fans}, ADA)
    with serving_process(tmp_path / "data", free_port, workers=workers) as serving:
        client = serving.client
        for _ in range(4 * workers):
            until(lambda: evaluate(client, "layout").content.get("variant") == "grid")
        with opened_stream(client) as stream:
            stream.next_piece()
            assert serving.signal(signal.SIGTERM) == 0
            with pytest.raises(EOFError):
                stream.next_message()
        (said,) = serving.log.splitlines()
    assert said.startswith("API")


def test_no_key_reaches_the_log(tmp_path: Path, free_port: int) -> None:
    secret = "very-secret-key"  # noqa: S105
    environment = {"FEEDBACK_WRITE_KEYS": f"web:{secret}"}
    with serving_process(tmp_path / "data", free_port, environment) as serving:
        client = serving.client
        assert client.ask("GET", f"/v1/projects/{secret}/settings").status == 200
        authorised = {"authorization": f"Bearer {secret}"}
        assert client.post("/v1/track", b"{", authorised).status == 400
        body = {"userId": "u", "event": "x", "writeKey": secret}
        assert client.post("/v1/track", body).status == 200
        client.send(f"GET /v1/projects/{secret} HTTP/9\r\n\r\n".encode())
        assert serving.signal(signal.SIGTERM) == 0
        assert secret not in serving.log
        assert f"http://127.0.0.1:{free_port}" in serving.log


def test_beyond_this_machine_the_registry_is_changed_with_a_key_only(tmp_path: Path) -> None:
    open_to_all = load_settings(tmp_path, {})
    with_key = load_settings(tmp_path, {"FEEDBACK_API_KEYS": "ada:5d0a77b3"})

    assert with_protected_registry(open_to_all, "127.0.0.1").api_keys == {}
    assert with_protected_registry(with_key, "192.0.2.1").api_keys == {"ada": "5d0a77b3"}
    (unknown,) = with_protected_registry(open_to_all, "192.0.2.1").api_keys.values()
    (other,) = with_protected_registry(open_to_all, "192.0.2.1").api_keys.values()
    assert len(unknown) > 40
    assert unknown != other
