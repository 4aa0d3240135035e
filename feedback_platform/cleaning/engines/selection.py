"""Which engine an installation runs."""

from __future__ import annotations

from typing import Any

from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.engines.port import Engine
from feedback_platform.settings import Settings


def chosen_engine(settings: Settings) -> Engine[Any, Any]:
    """Return the engine that `FEEDBACK_ENGINE` names; Spark is started if need be.

    Raises:
        SparkUnavailableError: it is Spark, which cannot be started here.
    """
    if settings.engine == "polars":
        return POLARS
    # It starts a Java process; whoever runs Polars needs none of it.
    from feedback_platform.cleaning.engines.spark import SparkEngine  # noqa: PLC0415

    return SparkEngine()
