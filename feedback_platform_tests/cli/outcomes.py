"""What a command left behind, where it was meant to succeed and where it was not."""

from __future__ import annotations

import json
from typing import Any

from feedback_platform_tests.cli.conftest import Finished


def parsed(finished: Finished) -> Any:
    """The output of a command that succeeded without a word on stderr."""
    assert (finished.code, finished.errors) == (0, "")
    return json.loads(finished.output)


def the_error(finished: Finished) -> str:
    """The one line of a command that failed."""
    assert (finished.code, finished.output) == (1, "")
    (line,) = finished.errors.splitlines()
    assert line.startswith("Error: ")
    return line
