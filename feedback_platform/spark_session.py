"""The Spark session; PySpark is an extra, and only those who chose Spark wait for its import."""

from __future__ import annotations

import sys
from typing import Any, Final

from feedback_platform.errors import PermanentError

_SETTINGS: Final = {
    # Times are UTC in the lake, whatever the machine's zone.
    "spark.sql.session.timeZone": "UTC",
    # Bars on stderr would run through the log.
    "spark.ui.showConsoleProgress": "false",
}


class SparkUnavailableError(PermanentError):
    """Spark was chosen, and cannot be started here."""


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
    builder = SparkSession.builder.appName("feedback-platform")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    try:
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
