"""Jobs that are loaded in no time, and what they leave behind for tests to see.

Dagster does not take its annotations as text.
"""

import os
import time
from pathlib import Path

import dagster as dg


class Place(dg.Config):
    file: str


@dg.op
def tells(config: Place) -> None:
    Path(config.file).write_text(f"{os.getpid()} {os.getppid()}", encoding="utf-8")


@dg.op
def waits(config: Place) -> None:
    """Say who waits, and wait until somebody takes that away."""
    path = Path(config.file)
    path.with_suffix(".new").write_text(f"{os.getpid()} {os.getppid()}", encoding="utf-8")
    path.with_suffix(".new").rename(path)
    while path.exists():
        time.sleep(0.01)


@dg.op
def breaks() -> None:
    raise ValueError("it breaks")


@dg.job(executor_def=dg.in_process_executor)
def telling() -> None:
    tells()


@dg.job(executor_def=dg.in_process_executor)
def waiting() -> None:
    waits()


@dg.job(executor_def=dg.in_process_executor)
def breaking() -> None:
    breaks()


defs = dg.Definitions(jobs=[telling, waiting, breaking])
