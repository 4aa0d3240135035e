"""The API of an installation of its own, for Segment's libraries to send to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.processes import answers, free_port, run, running

WRITE_KEY: Final = "the-key-of-the-shop"
_COMMAND: Final = (sys.executable, "-m", "feedback_platform")


@dataclass(frozen=True)
class SegmentCollector:
    """The API as a process of its own, which takes events with `WRITE_KEY`."""

    installation: Installation
    address: str

    def interactions(self, columns: list[str]) -> pl.DataFrame:
        """Process what has been collected; return columns of the interactions."""
        directory = self.installation.settings.data_dir
        run([*_COMMAND, "process", "--data-dir", str(directory)], cwd=directory)
        return self.installation.query(
            f"select {', '.join(columns)} from interaction.interactions order by occurred_at"
        )


@contextmanager
def segment_collector(directory: Path) -> Iterator[SegmentCollector]:
    """Serve an empty installation in a directory."""
    installation = Installation(directory / "data")
    port = free_port()
    with running(
        [*_COMMAND, "serve", "--port", str(port), "--data-dir", str(directory / "data")],
        log=directory / "serve.log",
        is_ready=lambda: answers(f"http://127.0.0.1:{port}/readyz"),
        environment={**os.environ, "FEEDBACK_WRITE_KEYS": f"shop:{WRITE_KEY}"},
    ):
        yield SegmentCollector(installation, f"http://127.0.0.1:{port}")
