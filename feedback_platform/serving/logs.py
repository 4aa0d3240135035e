"""What a server logs, on stderr: a line for people, or a JSON object for programs."""

from __future__ import annotations

import logging
import re
import sys
import textwrap
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from feedback_platform.serving.request_ids import REQUEST_ID
from feedback_platform.settings import Settings

_HIDDEN: Final = "…"
# A shorter one is none, but may be a part of half the words.
_SHORTEST_SECRET: Final = 6
# What moves the cursor of a terminal, or begins a line that looks like a record of its own.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_WITHIN_LINES: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def configure_logs(settings: Settings) -> None:
    """Log from now on as the settings say, from this process."""
    kind = JsonLines if settings.log_format == "json" else TextLines
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(kind(settings.secrets))
    logging.basicConfig(handlers=[handler], force=True)
    logging.getLogger("feedback_platform").setLevel(logging.INFO)


class _Lines(logging.Formatter):
    """Writes no secret that the installation knows, however it came into a message."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        # The longest first: one may be the beginning of another.
        known = [
            form
            for secret in secrets
            if len(secret) >= _SHORTEST_SECRET
            for form in (secret, repr(secret)[1:-1], orjson.dumps(secret).decode()[1:-1])
        ]
        known.sort(key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, known))) if known else None

    def hidden(self, text: str) -> str:
        """Return a text without secrets."""
        return text if self._secret is None else self._secret.sub(_HIDDEN, text)


class TextLines(_Lines):
    """Lines to read: one for each record; what follows an exception stands below, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's lines."""
        whole = super().format(record)
        head = self.formatMessage(record)
        rest = whole[len(head) :].strip("\n")
        line = _CONTROL.sub(_escaped, head)
        if request_id := REQUEST_ID.get():
            line = f"{line} [{request_id}]"
        below = textwrap.indent(_CONTROL_WITHIN_LINES.sub(_escaped, rest), "  ")
        return self.hidden(f"{line}\n{below}" if below else line)


class JsonLines(_Lines):
    """One JSON object a line, with its exception in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line."""
        content: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := REQUEST_ID.get():
            content["request_id"] = request_id
        content |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            content["exception"] = "".join(traceback.format_exception(*record.exc_info))
        # Before they are written: there, a quotation mark within a secret becomes two characters.
        sound = {
            name: self.hidden(_sound(value)) if isinstance(value, str) else value
            for name, value in content.items()
        }
        return orjson.dumps(sound, default=str).decode()


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _sound(text: str) -> str:
    """Return a text that can be written: a lone surrogate cannot."""
    return text.encode(errors="backslashreplace").decode()
