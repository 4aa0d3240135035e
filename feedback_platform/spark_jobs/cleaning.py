"""Cleaning as a Spark job of its own, started by Dagster, to which it reports through Pipes.

It is the script that EMR Serverless is given, and that `python -m` runs on this machine. What to
clean, where, and by which rules comes with the call; no file of this machine is read, and no
setting but AWS's own.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from dagster_pipes import (
    PipesContext,
    PipesDefaultMessageWriter,
    PipesEnvVarParamsLoader,
    PipesMessageWriter,
    PipesS3MessageWriter,
    open_dagster_pipes,
)

from feedback_platform.cleaning.engines.spark import SparkEngine
from feedback_platform.cleaning.kept_rules import kept_rules
from feedback_platform.cleaning.task import Metadata, carry_out
from feedback_platform.errors import FeedbackPlatformError, InvalidInputError, PermanentError
from feedback_platform.events.translation.mapping import read_mapping
from feedback_platform.lake.store import Lake
from feedback_platform.spark_jobs.order import FAILURE, IS_PERMANENT, CleaningOrder

_MESSAGE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 1.0
_MISUSE: Final = 2


def main() -> int:
    """Clean what Dagster asks for; return the exit code: 0, or 1 after a failure that it told."""
    caller = PipesEnvVarParamsLoader()  # type: ignore[no-untyped-call]
    if not caller.is_dagster_pipes_process():
        print(  # noqa: T201 - a program of its own
            "Dagster starts this job, where FEEDBACK_SPARK_DRIVER says so. By hand: "
            "FEEDBACK_ENGINE=spark feedback-platform process",
            file=sys.stderr,
        )
        return _MISUSE
    _end_with(os.getppid())
    try:
        with open_dagster_pipes(message_writer=_writer(caller)) as pipes, _logged(pipes):
            _clean(pipes)
    except FeedbackPlatformError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the last line of its log
        return 1
    return 0


def _clean(pipes: PipesContext) -> None:
    started = time.monotonic()
    try:
        made = _made(pipes, CleaningOrder.read(pipes.extras))
    except FeedbackPlatformError as error:
        is_permanent = isinstance(error, PermanentError)
        pipes.report_custom_message({FAILURE: str(error), IS_PERMANENT: is_permanent})
        raise
    seconds = round(time.monotonic() - started, 3)
    for asset, metadata in made.items():
        pipes.report_asset_materialization(metadata | {"seconds": seconds}, asset_key=asset)


def _made(pipes: PipesContext, order: CleaningOrder) -> dict[str, Metadata]:
    lake = Lake(order.lake_url)
    rules = kept_rules(lake, order.rules_version)
    if rules is None:
        raise InvalidInputError(
            f"The lake {order.lake_url} does not hold the cleaning rules {order.rules_version} "
            "that Dagster stored there: both sides have to mean the same lake."
        )

    def progress(done: int, total: int) -> None:
        pipes.log.info("%d of %d raw objects are clean", done, total)

    return carry_out(
        order.task,
        lake,
        rules,
        mapping=read_mapping(order.mapping, origin="FEEDBACK_EVENT_MAPPING"),
        engine=SparkEngine(),
        log=pipes.log,
        progress=progress,
    )


def _writer(caller: PipesEnvVarParamsLoader) -> PipesMessageWriter[Any]:
    """Return the way by which Dagster listens: a bucket, or a file of this machine."""
    if "bucket" in caller.load_messages_params():
        return PipesS3MessageWriter(boto3.client("s3"), interval=_MESSAGE_SECONDS)
    return PipesDefaultMessageWriter()


@contextmanager
def _logged(pipes: PipesContext) -> Iterator[None]:
    """Let the platform's own log be seen in the run's."""
    log = logging.getLogger("feedback_platform")
    log.setLevel(logging.INFO)
    (handler,) = pipes.log.handlers
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _end_with(parent: int) -> None:
    """End this process soon after the one that started it.

    A run that was killed is followed by another, to which this one would only be a hindrance. What
    is not committed was never there.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
