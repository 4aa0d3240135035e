"""Which engine an installation runs."""

from __future__ import annotations

from typing import Any

from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.engines.port import Engine
from feedback_platform.settings import Settings


def chosen_engine(settings: Settings) -> Engine[Any, Any]:
    """Return the engine of this process: that of `FEEDBACK_ENGINE`; Spark is started if need be.

    Where Spark runs elsewhere, Polars cleans what this process has to; the rows are the same.

    Raises:
        SparkUnavailableError: it is Spark, which cannot be started here.
    """
    if not settings.has_spark_here:
        return POLARS
    # It starts a Java process; whoever runs Polars needs none of it.
    from feedback_platform.cleaning.engines.spark import SparkEngine  # noqa: PLC0415

    return SparkEngine()
