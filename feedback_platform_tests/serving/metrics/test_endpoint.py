"""/metrics of a server: who may read it, and what is counted there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.flags.definitions import ADA
from feedback_platform_tests.serving.flag_server import FLAGS, evaluate, opened_stream
from feedback_platform_tests.serving.metrics.samples import Scrape
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.segment import message
from feedback_platform_tests.serving.serving_process import serving_process
from feedback_platform_tests.waiting import until


def test_requests_and_events_are_counted(fresh_server: RunningServer) -> None:
    assert fresh_server.post("/v1/track", message()).status == 200
    assert fresh_server.post("/v1/batch", {"batch": [message(), message()]}).status == 200
    assert fresh_server.post("/v1/track", {"type": "track"}).status == 400
    assert fresh_server.ask("GET", "/nowhere").status == 404
    scrape = Scrape(fresh_server)
    count = "feedback_http_requests_total"
    assert scrape.of(count, endpoint="events", method="POST", status="2xx") == 1
    assert scrape.of(count, endpoint="events", method="POST", status="4xx") == 1
    assert scrape.of(count, endpoint="batch", method="POST", status="2xx") == 1
    assert scrape.of(count, endpoint="other", method="GET", status="4xx") == 1
    duration = "feedback_http_request_duration_seconds"
    assert scrape.of(f"{duration}_count", endpoint="events") == 2
    assert scrape.of(f"{duration}_bucket", endpoint="events", le="+Inf") == 2
    assert 0 < scrape.of(f"{duration}_sum", endpoint="events") < 30
    assert scrape.of("feedback_collector_events_total") == 3
    assert scrape.of("feedback_collector_stored_bytes_total") > 3 * 100
    assert scrape.of("feedback_collector_refused_requests_total", reason="missing_user") == 1
    assert scrape.of("feedback_collector_commit_duration_seconds_count") == 2
    assert scrape.of("feedback_collector_commit_size_bytes_count") == 2
    assert scrape.of("feedback_collector_commit_failures_total") == 0
    assert scrape.of("feedback_http_requests_in_progress") == 1


def test_nothing_that_a_client_sends_becomes_a_label(fresh_server: RunningServer) -> None:
    for word in ("one", "two", "three"):
        fresh_server.ask("GET", f"/{word}?{word}={word}", headers={"x-request-id": word})
        fresh_server.ask("BREW", f"/v1/users/{word}")
        fresh_server.post("/v1/track", {"type": word, "event": word, "userId": word})
        fresh_server.post(f"/ofrep/v1/evaluate/flags/{word}", {})
    text = Scrape(fresh_server).text.decode()
    assert not [word for word in ("one", "two", "three") if f'"{word}' in text]


def test_connections_and_refusals_by_the_connection_are_counted(
    fresh_server: RunningServer,
) -> None:
    before = Scrape(fresh_server)
    refused = "feedback_http_refused_connections_total"
    with fresh_server.connect(), fresh_server.connect():
        until(lambda: Scrape(fresh_server).of("feedback_http_connections_open") >= 3)
    fresh_server.send(b"hello\r\n\r\n")
    after = Scrape(fresh_server)
    assert after.of(refused, reason="malformed_request") == 1 + before.of(
        refused, reason="malformed_request"
    )


def test_flags_streams_and_published_tables_tell_how_new_they_are(tmp_path: Path) -> None:
    published = tmp_path / "data" / "published" / "feedback.duckdb"
    publish_users(published, segments={"ada": "x"}, opted_out=[])
    with running_server(tmp_path / "data") as server, opened_stream(server) as stream:
        stream.next_piece()
        Flags(Lake(server.settings.lake_url)).apply(FLAGS, ADA)
        until(lambda: evaluate(server, "switch").status == 200)
        scrape = Scrape(server)
        modified = published.stat().st_mtime
        at = scrape.of("feedback_published_tables_timestamp_seconds")
        assert at == pytest.approx(modified, abs=0.01)
        assert scrape.of("feedback_flags_position") == 1
        assert scrape.of("feedback_flags_read_timestamp_seconds") >= modified
        assert scrape.of("feedback_flag_streams_open") == 1


def test_a_process_tells_what_it_takes_of_the_machine(server: RunningServer) -> None:
    scrape = Scrape(server)
    assert scrape.of("process_resident_memory_bytes", worker="0") > 10e6
    assert scrape.of("process_cpu_seconds_total", worker="0") > 0
    assert 0 < scrape.of("process_open_fds", worker="0") < scrape.of("process_max_fds", worker="0")


def test_every_metric_is_described_and_named_as_prometheus_asks(server: RunningServer) -> None:
    lines = Scrape(server).text.decode().splitlines()
    described = {line.split()[2] for line in lines if line.startswith("# HELP")}
    named = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    assert described == named.keys()
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in named.items())


def test_with_api_keys_only_their_owners_read_the_metrics(tmp_path: Path) -> None:
    keys = {"FEEDBACK_API_KEYS": "ada:s3cret-of-ada", "FEEDBACK_WRITE_KEYS": "web:of-the-page"}
    with running_server(tmp_path / "data", keys) as server:
        for headers in ({}, {"authorization": "Bearer of-the-page"}):
            answer = server.ask("GET", "/metrics", headers=headers)
            assert (answer.status, answer.content["code"]) == (401, "unauthorized")
        assert Scrape(server, {"authorization": "Bearer s3cret-of-ada"}).text


def test_one_scrape_has_the_sum_over_all_workers_also_after_one_was_killed(
    tmp_path: Path, free_port: int
) -> None:
    with serving_process(tmp_path / "data", free_port, workers=2) as serving:
        client = serving.client

        def value(name: str, **labels: str) -> float:
            return Scrape(client).of(name, **labels)

        until(lambda: len(Scrape(client).labels("process_open_fds", "worker")) == 2)
        for _ in range(30):
            assert client.post("/v1/track", message()).status == 200
        events = "feedback_collector_events_total"
        until(lambda: value(events) == 30)
        started = value("process_start_time_seconds", worker="1")
        children = Path(f"/proc/{serving.pid}/task/{serving.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        until(lambda: value("process_start_time_seconds", worker="1") not in {started, 0})
        assert client.post("/v1/track", message()).status == 200
        until(lambda: value(events) == 31)
        assert serving.signal(signal.SIGTERM) == 0
