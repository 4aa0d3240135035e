"""What nobody foresaw: told to the sender in the collector's own terms, and logged once."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import orjson
import pytest

from feedback_platform.ingestion.collector.application import Collector
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.store import Lake


def test_an_unforeseen_error_is_a_json_answer_that_every_page_may_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken_clock() -> Any:
        raise ArithmeticError("the clock stands still")

    async def receive() -> Any:
        return {"type": "http.request", "body": b'{"userId":"u","event":"x"}'}

    sent: list[Any] = []

    async def send(part: Any) -> None:
        sent.append(part)

    station = Station(Lake(tmp_path.as_uri()), write_keys={})
    station.now = broken_clock  # type: ignore[method-assign]
    scope = {"type": "http", "method": "POST", "path": "/v1/track", "headers": []}
    with caplog.at_level(logging.ERROR):
        asyncio.run(Collector(station)(scope, receive, send))

    start, body = sent
    assert start["status"] == 500
    assert dict(start["headers"])[b"content-type"] == b"application/json"
    assert dict(start["headers"])[b"access-control-allow-origin"] == b"*"
    assert orjson.loads(body["body"])["code"] == "internal_error"
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[0] is ArithmeticError
