"""What is in `deploy/` fits together; the containers themselves are tried by `deploy/smoke.sh`."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import yaml

from feedback_platform import __version__
from feedback_platform.settings import PROJECT_DIR, load_settings, unknown_settings

DEPLOY = PROJECT_DIR / "deploy"
# A variable of whoever starts it, with or without a default, or a word on what is missing.
VARIABLE = re.compile(r"\$\{(\w+)(:[-?]([^}]*))?\}")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    assert isinstance(found, dict)
    return found


def test_images_have_versions(services: dict[str, dict[str, Any]]) -> None:
    images = {service["image"] for service in services.values()}
    bases = re.findall(
        r"^ARG DEBIAN=(.*)$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )

    assert f"feedback-platform:${{FEEDBACK_VERSION:-{__version__}}}" in images
    for image in {*images, *bases} - {f"feedback-platform:${{FEEDBACK_VERSION:-{__version__}}}"}:
        assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+[\w.-]*", image)


def test_every_server_says_whether_it_is_well(services: dict[str, dict[str, Any]]) -> None:
    # The API has the image's own check.
    checked = {
        name
        for name, service in services.items()
        if "test" in service.get("healthcheck", {}) or name == "api"
    }

    assert services.keys() - checked == {"bucket", "ingest"}


def test_secrets_are_variables_without_a_default(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        for name, value in service["environment"].items():
            if any(word in name for word in ("PASSWORD", "SECRET", "ACCESS_KEY", "_KEYS")):
                found = VARIABLE.fullmatch(value)
                assert found is not None
                assert value.endswith(("}", ":-}"))
                assert ":-}" in value or ":?" in value


def test_the_platform_knows_and_takes_every_setting_of_compose(
    services: dict[str, dict[str, Any]],
) -> None:
    chosen = {
        "FEEDBACK_WRITE_KEYS": "web:4f9c2e81",
        "FEEDBACK_API_KEYS": "operations:77ab01cd",
    }
    environment = {
        name: VARIABLE.sub(lambda found: chosen.get(found[1], ""), value)
        for name, value in services["code"]["environment"].items()
    }

    assert unknown_settings(environment) == []
    settings = load_settings(environment=environment)
    assert settings.lake_url == "s3://feedback/lake"
    assert settings.dagster_database_url is not None


def test_what_the_image_copies_is_let_through() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    let_through = [line.removeprefix("!") for line in ignored if line.startswith("!")]

    assert ignored[1] == "*"
    assert [name for name in let_through if not (PROJECT_DIR / name).exists()] == []
    assert {"dagster.yaml", "dbt_project", "feedback_platform", "workspace.yaml"} <= {*let_through}


@pytest.mark.parametrize(
    ("tag", "code"), [((), 0), ((f"v{__version__}",), 0), (("v99.0.0",), 1), (("main",), 1)]
)
def test_a_tag_has_to_be_the_version_of_the_package(tag: tuple[str, ...], code: int) -> None:
    done = called("version.py", *tag)

    assert done.returncode == code
    assert __version__ in (done.stdout or done.stderr)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
def test_a_container_is_well_when_its_server_answers(status: int, code: int) -> None:
    with answering(status) as address:
        assert called("healthy.py", address).returncode == code


def test_a_container_is_not_well_when_nobody_answers(free_port: int) -> None:
    assert called("healthy.py", f"http://127.0.0.1:{free_port}/readyz").returncode == 1


def test_the_launcher_of_ecs_takes_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._config import process_config, resolve_to_config_type, validate_config
    from dagster._core.instance.config import dagster_instance_config_schema
    from dagster_aws.ecs import EcsRunLauncher

    launcher_class: Any = EcsRunLauncher

    for name in ("LOG_GROUP", "EXECUTION_ROLE", "TASK_ROLE"):
        monkeypatch.setenv(f"DAGSTER_ECS_{name}", "chosen")
    sections = yaml.safe_load((DEPLOY / "ecs" / "dagster.yaml").read_text("utf-8"))
    launcher = sections["run_launcher"]

    assert validate_config(dagster_instance_config_schema(), sections).success
    taken = process_config(resolve_to_config_type(launcher_class.config_type()), launcher["config"])
    assert taken.errors in (None, [])


def called(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", str(DEPLOY / script), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server of which every answer has this status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/readyz"
        finally:
            server.shutdown()
            thread.join()
