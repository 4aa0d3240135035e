"""Spark on two cores of this machine, set up by its own configuration files as a cluster is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from feedback_platform_tests.services.processes import required_command

_LOG: Final = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
"""


# For a job that is over before a second compilation would pay.
SHORT_LIVED: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# Small data: plans are interpreted, which takes less than to compile them.
SMALL: Final = {
    "spark__master": "local[2]",
    "spark__driver__memory": "1g",
    "spark__driver__extraJavaOptions": SHORT_LIVED,
    "spark__sql__shuffle__partitions": "2",
    "spark__sql__codegen__wholeStage": "false",
    "spark__sql__codegen__factoryMode": "NO_CODEGEN",
    "spark__sql__adaptive__enabled": "false",
}


def local_spark(directory: Path, **settings: str) -> dict[str, str]:
    """Write Spark's configuration; return the variables that let it be found.

    Args:
        directory: an empty one.
        settings: further ones of Spark's, a double underscore for each dot.
    """
    required_command("java", "default-jre-headless")
    chosen = {
        "spark.master": "local[2]",
        "spark.driver.memory": "3g",
        # What two cores have to shuffle is little, and 200 tasks for it are much.
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.local.dir": str(directory / "scratch"),
        "spark.sql.warehouse.dir": str(directory / "warehouse"),
        "spark.ui.enabled": "false",
        **{name.replace("__", "."): value for name, value in settings.items()},
    }
    directory.mkdir()
    (directory / "spark-defaults.conf").write_text(
        "".join(f"{name} {value}\n" for name, value in chosen.items())
    )
    (directory / "log4j2.properties").write_text(_LOG)
    return {"SPARK_CONF_DIR": str(directory), "SPARK_LOCAL_IP": "127.0.0.1"}
