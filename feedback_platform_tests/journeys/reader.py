"""A dashboard in another process, which reads what is published without a pause."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from feedback_platform_tests.installation import Installation

# It writes down each state that it had not seen the moment before.
_READER = """
import duckdb, json, pathlib, sys
path, query, stop = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
seen = None
print("ready", flush=True)
while not stop.exists():
    with duckdb.connect(path, read_only=True) as connection:
        state = connection.execute(query).fetchall()[0]
    if state != seen:
        print(json.dumps(state), flush=True)
        seen = state
"""


@contextmanager
def reader(installation: Installation, query: str, stop: Path) -> Iterator[list[list[Any]]]:
    """Read in another process meanwhile; the list holds what it saw once the context has ended.

    A reader that meets an error fails the test.

    Args:
        installation: whose tables are read.
        query: of one row, made of what JSON can express.
        stop: a path where nothing lies yet.
    """
    seen: list[list[Any]] = []
    path = str(installation.settings.published_path)
    command = [sys.executable, "-c", _READER, path, query, str(stop)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield seen
        finally:
            stop.touch()
            output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    seen += [json.loads(line) for line in output.splitlines()]
