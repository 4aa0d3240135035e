"""dbt's adapters of other warehouses, with a connection that translates what models say."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from feedback_platform.errors import PermanentError

ADAPTERS: Final = {"spark": "dbt-spark", "snowflake": "dbt-snowflake", "bigquery": "dbt-bigquery"}
# What brings the adapter where there is more to it than the adapter.
_EXTRAS: Final = {"spark": "'feedback-platform[spark]'"}
# Each has one class of connections, below its own name.
_CONNECTIONS: Final = {
    "spark": "SparkConnectionManager",
    "snowflake": "SnowflakeConnectionManager",
    "bigquery": "BigQueryConnectionManager",
}


class AdapterMissingError(PermanentError):
    """A warehouse was chosen, and dbt's adapter for it is not installed."""


def install_translation(engine: str) -> None:
    """Let dbt's connections to this engine translate from now on, in this process.

    Raises:
        AdapterMissingError: dbt's adapter is not installed; the text says how to install it.
    """
    try:
        module = import_module(f"dbt.adapters.{engine}.connections")
    except ModuleNotFoundError as error:
        raise AdapterMissingError(
            f"The warehouse {engine} was chosen, but {ADAPTERS[engine]} is not installed here: "
            f"pip install {_EXTRAS.get(engine, ADAPTERS[engine])}."
        ) from error
    # DuckDB's runs, which come first here, need not wait for a parser.
    from feedback_platform.warehouse.engines.translation import translated_parts  # noqa: PLC0415

    connections = getattr(module, _CONNECTIONS[engine])
    if getattr(connections, "translates", False):
        return
    plain_query = connections.add_query

    def add_query(manager: Any, sql: str, *given: Any, **named: Any) -> Any:
        return plain_query(manager, translated_parts(sql, engine), *given, **named)

    connections.add_query = add_query
    connections.translates = True
