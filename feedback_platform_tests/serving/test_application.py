"""What the application answers beside events: health, documentation, and what it does not know."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from feedback_platform.ingestion.collector.application import Collector
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.store import Lake
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.segment import assert_refused, message


def test_a_server_that_lives_says_so(server: RunningServer) -> None:
    assert server.ask("GET", "/healthz").content == {"status": "alive"}


def test_a_server_that_reaches_its_lake_is_ready(server: RunningServer) -> None:
    assert server.ask("GET", "/readyz").content == {"status": "ready"}


def test_a_server_whose_lake_is_gone_is_not_ready(fresh_server: RunningServer) -> None:
    shutil.rmtree(fresh_server.settings.data_dir / "lake")
    answer = fresh_server.ask("GET", "/readyz")
    assert answer.status == 503
    assert "lake" in answer.content["message"]
    assert int(answer.headers["retry-after"]) > 0


def test_a_server_on_s3_takes_events_and_is_ready(s3_lake_url: str, tmp_path: Path) -> None:
    with running_server(tmp_path / "data", {"FEEDBACK_LAKE_URL": s3_lake_url}) as server:
        assert server.post("/v1/track", message()).status == 200
        assert server.ask("GET", "/readyz").status == 200
        assert len(server.lines()) == 1


def test_an_unknown_path_is_404(server: RunningServer) -> None:
    for path in ("/v1", "/v1/unknown", "/v1/projects//settings", "/v1/track/"):
        answer = server.ask("GET", path)
        assert answer.status == 404, path
        assert answer.content["code"] == "not_found"


def test_a_wrong_method_is_405(server: RunningServer) -> None:
    answer = server.post("/healthz", {})
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]
    assert answer.content["code"] == "method_not_allowed"


def test_the_documentation_needs_no_other_server(server: RunningServer) -> None:
    for path in ("/", "/docs"):
        assert server.ask("GET", path).headers["location"] == "docs/"
    page = server.ask("GET", "/docs/").body.decode()
    assert "http://" not in page
    assert "https://" not in page
    for name in ("static/swagger-ui.css", "static/swagger-ui-bundle.js", "page.js"):
        assert name in page
        assert server.ask("GET", f"/docs/{name}").status == 200


def test_the_document_has_every_path_that_takes_events(
    server: RunningServer, tmp_path: Path
) -> None:
    document = server.ask("GET", "/openapi.json").content
    collector = Collector(Station(Lake(tmp_path.as_uri()), write_keys={}))
    documented = {
        path
        for path, item in document["paths"].items()
        if "post" in item and not path.startswith(("/ofrep/", "/opendsr/"))
    }
    assert documented == set(collector.post_paths)


def test_the_registry_is_there(server: RunningServer) -> None:
    assert "JSON" in server.ask("GET", "/registry/schemas/types").content


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_a_server_error_is_never_the_answer_to_a_foreign_method(
    server: RunningServer, path: str
) -> None:
    assert_refused(server.ask("PATCH", path), 405)
