"""All tables anew on another engine, and from there into the warehouse file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from feedback_platform.errors import PermanentError
from feedback_platform.lake.batches import read_manifest, sequences_after
from feedback_platform.lake.store import Lake
from feedback_platform.spark_session import end_spark, spark_session
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.engines.spark_results import bring_home, built_tables
from feedback_platform.warehouse.engines.spark_sources import stage_in_spark
from feedback_platform.warehouse.loading import basis_of, remove_warehouse
from feedback_platform.warehouse.transformation import DbtProject, NodeResult


class WarehouseNotRunError(PermanentError):
    """A warehouse was chosen for which the platform has models, and no runs."""


def build_on(
    engine: str,
    path: Path,
    lake: Lake,
    scratch: Path,
    *,
    engine_project: DbtProject,
    project: DbtProject,
    restore: Callable[[], None],
    on_result: Callable[[NodeResult], None] | None = None,
) -> list[NodeResult]:
    """Build every table on an engine from the whole clean layer, and replace the warehouse file.

    The file has what a rebuild on DuckDB has, row for row, so that publishing, measuring and
    training go on as ever. What it costs follows what is stored, not what is new.

    Args:
        engine: `spark`.
        path: the warehouse file, held by the caller.
        lake: where the batches lie.
        scratch: a directory that this process and Spark's executors see.
        engine_project, project: the dbt project on that engine, and on DuckDB at `path`.
        restore: fills the fixed tables of a new warehouse file at `path`.
        on_result: called as each model ends.

    Raises:
        WarehouseNotRunError: the engine is one that only compiles.
        InvalidSettingError: a weight or a rule of the feedback score makes no sense.
        SparkUnavailableError: Spark cannot be started here.
        TransformationError: a model failed.
    """
    if engine != "spark":
        raise WarehouseNotRunError(
            f"FEEDBACK_WAREHOUSE is {engine!r}: the platform translates its models for it, and "
            "does not run them; see docs/warehouses.md. Set it to duckdb or spark for this command."
        )
    # Of the lake before its batches are listed: an erasure from now on is not in these tables.
    basis = basis_of(lake, f"{engine}-{project.fingerprint()}")
    session = spark_session()
    manifests = [read_manifest(lake, sequence) for sequence in sequences_after(lake, 0)]
    through = manifests[-1].sequence if manifests else 0
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        remove_warehouse(path)
        restore()
        with open_warehouse(path) as connection:
            # Whoever publishes sees by this that the tables are not all there yet.
            connection.execute("update pipeline.state set staged_through = ?", [through])
            stage_in_spark(session, connection, lake, manifests, scratch)
        results = engine_project.run(on_result=on_result)
        with open_warehouse(path) as connection:
            for node in built_tables(engine_project.manifest):
                bring_home(session, connection, node, scratch)
        project.create_readers_functions()
        with open_warehouse(path) as connection:
            connection.execute(
                "update pipeline.state set completed_through = ?, basis = ?",
                [through, basis],
            )
    except BaseException:
        # Of an interrupt dbt's thread hears nothing: it would go on writing what is removed here.
        end_spark()
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return results
