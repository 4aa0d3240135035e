"""What is logged: one record a line, whose request it was, and no secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from feedback_platform.serving.logs import JsonLines, TextLines
from feedback_platform.serving.request_ids import REQUEST_ID

LOGGER = "feedback_platform.tests.logs"


class Log:
    """A logger that writes into memory."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._stream = io.StringIO()
        self.logger = logging.getLogger(LOGGER)
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(formatter)
        self.logger.handlers = [handler]
        self.logger.propagate = False

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()

    @property
    def record(self) -> Any:
        (line,) = self.lines
        return json.loads(line)


@pytest.fixture(autouse=True)
def _logger_as_before() -> Iterator[None]:
    yield
    logger = logging.getLogger(LOGGER)
    logger.handlers = []
    logger.propagate = True


@pytest.fixture
def of_a_request() -> Iterator[None]:
    token = REQUEST_ID.set("request-7")
    yield
    REQUEST_ID.reset(token)


def fail(log: Log, text: str) -> None:
    try:
        int(text)
    except ValueError:
        log.logger.exception("It failed.")


def test_a_record_is_one_json_line() -> None:
    log = Log(JsonLines([]))
    log.logger.warning("Two\nlines of %s", "ä")
    record = log.record
    assert datetime.fromisoformat(record.pop("time")).tzinfo is not None
    assert record == {"level": "warning", "logger": LOGGER, "message": "Two\nlines of ä"}


@pytest.mark.usefixtures("of_a_request")
def test_a_record_says_which_request_it_belongs_to() -> None:
    log = Log(JsonLines([]))
    log.logger.error("no")
    assert log.record["request_id"] == "request-7"


def test_an_exception_keeps_its_traceback_within_the_record() -> None:
    log = Log(JsonLines([]))
    fail(log, "seven")
    assert log.record["message"] == "It failed."
    assert log.record["exception"].startswith("Traceback")
    assert "int(text)" in log.record["exception"]
    assert log.record["exception"].endswith("base 10: 'seven'\n")


def test_further_fields_stand_in_the_record() -> None:
    log = Log(JsonLines([]))
    log.logger.warning("x", extra={"fields": {"status": 200}})
    assert log.record["status"] == 200


@pytest.mark.parametrize("text", ["\ud800", "\x00", '"}\n{'])
def test_whatever_a_message_holds_it_is_one_json_line(text: str) -> None:
    log = Log(JsonLines([]))
    log.logger.warning("%s", text)
    assert log.record["level"] == "warning"


@pytest.mark.usefixtures("of_a_request")
def test_a_line_to_read_ends_with_its_request() -> None:
    log = Log(TextLines([]))
    log.logger.warning("It is late.")
    fail(log, "why")
    first, second, *rest = log.lines
    assert first.endswith(" WARNING It is late. [request-7]")
    assert second.endswith(" ERROR It failed. [request-7]")
    assert rest[0].startswith("  Traceback")


def test_nothing_in_a_message_or_an_exception_looks_like_a_record_of_its_own() -> None:
    log = Log(TextLines([]))
    log.logger.warning("got %s", "a\n2026-01-01 ERROR forged\x1b[2J")
    fail(log, "a\r2026-01-01")
    log.logger.error("got", exc_info=ValueError("a\n2026-01-01 ERROR forged"))
    first, *rest = log.lines
    assert first.endswith("got a\\n2026-01-01 ERROR forged\\x1b[2J")
    assert not any(line.startswith("2026-01-01") for line in rest)
    assert sum(not line.startswith("  ") for line in log.lines) == 3


@pytest.mark.parametrize("kind", [TextLines, JsonLines])
def test_a_secret_is_not_written_as_programs_quote_it_either(
    kind: type[TextLines | JsonLines],
) -> None:
    log = Log(kind(["abc\"de'f\\g"]))
    fail(log, "abc\"de'f\\g")
    assert "de" not in "\n".join(log.lines).replace("decode", "").split("base 10")[-1]


def test_beside_requests_a_line_has_no_id() -> None:
    log = Log(TextLines([]))
    log.logger.warning("It is late.")
    assert log.lines[0].endswith(" WARNING It is late.")


def test_what_is_too_short_for_a_secret_does_not_mangle_the_log() -> None:
    log = Log(JsonLines(["a", "20"]))
    log.logger.warning("as it was")
    assert log.record["message"] == "as it was"


def test_a_secret_with_a_quotation_mark_is_not_written_either() -> None:
    log = Log(JsonLines(['abc"def\\g']))
    log.logger.warning("got %s", 'abc"def\\g')
    assert log.record["message"] == "got …"


@pytest.mark.parametrize("kind", [TextLines, JsonLines])
def test_no_secret_is_written_wherever_it_stands(kind: type[TextLines | JsonLines]) -> None:
    log = Log(kind(["s3cret", "s3cret-and-more", ""]))
    log.logger.warning("got %s", "s3cret-and-more")
    fail(log, "s3cret")
    written = "\n".join(log.lines)
    assert "s3cret" not in written
    assert "and-more" not in written
    assert "got …" in written
