"""In front of dbt on Spark: the clean layer, and what learning and the rules decided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import duckdb

from feedback_platform.lake.batches import BatchManifest
from feedback_platform.lake.store import Lake
from feedback_platform.warehouse.engines.translation import translated

_SCHEMAS: Final = ("pipeline", "lake", "interaction", "feedback", "features", "ml", "metrics")
_RAW_TABLES: Final = {"clean_events": "clean_objects", "quarantined_events": "quarantine_objects"}
# What models read of what Python loads; the last two stay empty without increments.
_LOADED_TABLES: Final = (
    "ml.segment_assignments",
    "ml.model_versions",
    "metrics.adjustments",
    "lake.replaced_objects",
    "lake.withdrawn_events",
)
# Object stores by the names under which Hadoop knows them.
_HADOOP_SCHEMES: Final = {"s3": "s3a"}


def stage_in_spark(
    session: Any,
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    manifests: Sequence[BatchManifest],
    scratch: Path,
) -> None:
    """Put all clean rows and what Python loads where the models look for them.

    Args:
        session: Spark's.
        connection: a warehouse of DuckDB, its fixed tables filled as ever.
        lake: whose clean layer Spark reads itself, by its own access to the store.
        manifests: of all batches, in their order.
        scratch: a directory that Spark's executors see, for the small tables, and for
            all tables where Spark has no metastore.
    """
    # A catalogue that ends with this process would find the files of the last one in its way.
    is_kept = session.conf.get("spark.sql.catalogImplementation") != "in-memory"
    for schema in _SCHEMAS:
        place = "" if is_kept else f" location '{_quoted(scratch / 'tables' / schema)}'"
        session.sql(f"create database if not exists {schema}{place}")
    for table, objects in _RAW_TABLES.items():
        _stage_layer(session, connection, lake, manifests, table=table, objects=objects)
    for table in _LOADED_TABLES:
        path = scratch / f"{table}.parquet"
        _export(connection, table, path)
        _replace(session, table, session.read.parquet(str(path)))
    through = manifests[-1].sequence if manifests else 0
    state = session.createDataFrame(
        [(through, 0, 0)],
        "staged_through bigint, completed_through bigint, published_through bigint",
    )
    _replace(session, "pipeline.state", state)


def address_of(lake_url: str, key: str) -> str:
    """Return where Spark finds an object of a lake."""
    parts = urlsplit(lake_url)
    if parts.scheme == "file":
        return str(Path(unquote(parts.path)) / key)
    scheme = _HADOOP_SCHEMES.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}{parts.path}/{key}"


def _stage_layer(
    session: Any,
    connection: duckdb.DuckDBPyConnection,
    lake: Lake,
    manifests: Sequence[BatchManifest],
    *,
    table: str,
    objects: str,
) -> None:
    """Copy the rows of a layer, but for those of objects that a later batch cleaned again."""
    columns = connection.execute(f"describe lake.{table}").fetchall()
    # The stored times are instants; the models' are what a clock in UTC shows of them.
    schema = ", ".join(f"`{name}` {_stored_type(kind)}" for name, kind, *_ in columns)
    paths = [address_of(lake.url, key) for one in manifests for key in getattr(one, objects)]
    rows = (
        session.read.schema(schema).parquet(*paths)
        if paths
        else session.createDataFrame([], schema)
    )
    replaced = {
        raw_object: manifest.sequence
        for manifest in manifests
        if manifest.is_reprocessing
        for raw_object in manifest.raw_objects
    }
    if replaced:
        latest = session.createDataFrame(
            list(replaced.items()), "raw_object string, replaced_in bigint"
        )
        rows = rows.join(latest, "raw_object", "left").where(
            "replaced_in is null or batch_sequence >= replaced_in"
        )
    casts = [f"cast(`{name}` as {_type(kind)}) as `{name}`" for name, kind, *_ in columns]
    if table == "clean_events":
        # Rows that an earlier release cleaned say nothing of bots; schema.sql says the same.
        casts = [cast.replace("cast(`is_bot`", "cast(coalesce(`is_bot`, false)") for cast in casts]
    _replace(session, f"lake.{table}", rows.selectExpr(*casts))


def _type(kind: str) -> str:
    cast = translated(f"select cast(null as {kind}) as value", "spark")
    return cast.removeprefix("SELECT CAST(NULL AS ").removesuffix(") AS value")


def _stored_type(kind: str) -> str:
    return _type(kind).replace("TIMESTAMP_NTZ", "TIMESTAMP")


def _export(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> None:
    columns = connection.execute(f"describe {table}").fetchall()
    texts = ", ".join(
        f'cast("{name}" as varchar) as "{name}"' if kind == "JSON" else f'"{name}"'
        for name, kind, *_ in columns
    )
    path.unlink(missing_ok=True)
    connection.sql(f"select {texts} from {table}").write_parquet(str(path))  # noqa: S608 - own names


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace("'", "\\'")


def _replace(session: Any, table: str, rows: Any) -> None:
    session.sql(f"drop table if exists {table}")
    rows.write.format("parquet").mode("overwrite").saveAsTable(table)
