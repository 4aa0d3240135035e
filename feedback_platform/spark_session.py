"""The Spark session; PySpark is an extra, and only those who chose Spark wait for its import."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

from feedback_platform.errors import PermanentError

_SETTINGS: Final = {
    # Times are UTC in the lake, whatever the machine's zone.
    "spark.sql.session.timeZone": "UTC",
    # Bars on stderr would run through the log.
    "spark.ui.showConsoleProgress": "false",
}


# What Java gets to remove its directories, before it is killed.
_GRACE_SECONDS: Final = 5.0


class SparkUnavailableError(PermanentError):
    """Spark was chosen, and cannot be started or cannot do its work here."""


def spark_session() -> Any:
    """Return this process's session; the first call starts it.

    Where to run and with how much is Spark's own configuration: `spark-submit`, a
    `spark-defaults.conf` or `PYSPARK_SUBMIT_ARGS`; without any, it is all cores of this machine.

    Raises:
        SparkUnavailableError: PySpark or Java is missing; the text says what to install.
    """
    try:
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SparkUnavailableError(
            "Spark was chosen, but PySpark is not installed here: "
            "pip install 'feedback-platform[spark]'."
        ) from error
    _forget_dead_spark()
    builder = SparkSession.builder.appName("feedback-platform")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    try:
        with _own_interrupts():
            session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SparkUnavailableError(
            "Spark could not be started; what it said stands above. It needs Java 17 or newer: "
            "install it (Debian: apt-get install default-jre-headless), or let JAVA_HOME name it."
        ) from error
    context = session.sparkContext
    if context.master.startswith("local"):
        # Spark would take the first python3 of the PATH, which is not that of this environment.
        context.pythonExec = sys.executable
    return session


def end_spark() -> None:
    """End the Java machine that this process started, at once, whatever it is doing.

    It is for who was interrupted, or saw Spark fail: `stop` of a session waits for the answer of a
    machine that may plan a query for a minute, or be gone. Whoever holds the session gets errors
    from then on; `spark_session` starts anew.
    """
    machine = _java_machine()
    if machine is None:
        return
    machine.terminate()
    try:
        machine.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        machine.kill()
        machine.wait()


def _forget_dead_spark() -> None:
    """Have PySpark start another Java machine where the one that it knows of has ended.

    It keeps what it started in its classes, and asks what is dead for ever.
    """
    machine = _java_machine()
    if machine is None or machine.poll() is None:
        return
    if machine.stdin is not None:
        machine.stdin.close()
    from pyspark import SparkContext  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001
    SparkContext._active_spark_context = None  # noqa: SLF001
    SparkSession._instantiatedSession = None  # noqa: SLF001


def _java_machine() -> subprocess.Popen[bytes] | None:
    """Return the process of Java, where this one started it; under spark-submit it is not ours."""
    module = sys.modules.get("pyspark.core.context")
    gateway = module.SparkContext._gateway if module else None  # noqa: SLF001
    return gateway.proc if gateway is not None else None


@contextlib.contextmanager
def _own_interrupts() -> Iterator[None]:
    """Keep Ctrl-C for whom it was before PySpark took it.

    Its handler asks Java to cancel all jobs, and does so in the middle of whatever was being asked;
    and whoever runs this process, Dagster's steps above all, would not hear of the interrupt.
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGINT, before)
