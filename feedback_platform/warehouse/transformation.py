"""Running dbt in this process, with the project parsed once.

The dbt command spends 12 to 15 s on starting Python, importing and parsing for one second of SQL;
in a process that keeps the parsed project, a run costs its SQL.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from feedback_platform.errors import TransformationError, text_of
from feedback_platform.warehouse.connection import fixed_statements
from feedback_platform.warehouse.engines.adapters import install_translation
from feedback_platform.warehouse.score_settings import check_score_settings

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_GOOD: Final = frozenset({"success", "pass", "warn", "skipped"})


@dataclass(frozen=True)
class NodeResult:
    """What became of one model, seed or test.

    Attributes:
        unique_id: dbt's name of the node.
        name: its short name.
        kind: model, seed, test or unit_test.
        status: dbt's word for it.
        seconds: how long it took.
        failures: failing rows of a test.
        message: what the database or the test said.
    """

    unique_id: str
    name: str
    kind: str
    status: str
    seconds: float
    failures: int
    message: str

    @property
    def is_good(self) -> bool:
        """Whether the node did what it should."""
        return self.status in _GOOD


class DbtProject:
    """The dbt project of this platform, bound to one warehouse file.

    Args:
        project_dir: where `dbt_project.yml` and `profiles.yml` lie.
        target_dir: where dbt writes its artifacts and logs.
        warehouse_path: the DuckDB file.
        engine: where dbt builds, a target of `profiles.yml`. Any other than DuckDB builds every
            table whole, from the same models, see engines/translation.py.
    """

    def __init__(
        self, project_dir: Path, target_dir: Path, warehouse_path: Path, engine: str = "duckdb"
    ) -> None:
        self.project_dir = project_dir
        self.target_dir = target_dir
        self.warehouse_path = warehouse_path
        self.engine = engine

    @cached_property
    def parsed(self) -> Manifest:
        """The parsed project; parsing again in the same process is not needed."""
        result = self._invoke("parse", [], manifest=None)
        manifest: Manifest = result.result
        return manifest

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The parsed project as the plain data of dbt's manifest.json.

        From memory: other processes may be writing the file of that name.
        """
        content: dict[str, Any] = self.parsed.writable_manifest().to_dict(omit_none=False)
        return content

    def fingerprint(self) -> str:
        """Return a digest of what builds the tables: models, macros, seeds and the fixed schema.

        Contracts, too: the columns with their types and constraints. A description builds nothing.

        Raises:
            InvalidSettingError: a weight or a rule of the feedback score makes no sense; nothing
                should be built anew for it.
        """
        check_score_settings(self.project_dir / "seeds")
        digest = hashlib.sha256()
        for folder in ("macros", "models", "seeds"):
            for path in sorted((self.project_dir / folder).rglob("*")):
                if path.suffix in {".sql", ".csv"}:
                    digest.update(path.relative_to(self.project_dir).as_posix().encode())
                    digest.update(path.read_bytes())
        for name, node in sorted(self.manifest["nodes"].items()):
            if node["resource_type"] == "model":
                columns = [
                    (column["name"], column["data_type"], column["constraints"])
                    for column in node["columns"].values()
                ]
                digest.update(json.dumps([name, columns]).encode())
        digest.update(fixed_statements().encode())
        return digest.hexdigest()[:16]

    def run(
        self,
        models: Sequence[str] | None = None,
        *,
        on_result: Callable[[NodeResult], None] | None = None,
        on_statement: Callable[[str, str], None] | None = None,
    ) -> list[NodeResult]:
        """Seed and run models, in the order of their dependencies.

        Args:
            models: names; all of them when left out.
            on_result: called as each node ends.
            on_statement: called with a node's unique id and each statement before it is sent.

        Raises:
            InvalidSettingError: a weight or a rule of the feedback score makes no sense.
            TransformationError: a node failed; those after it were not run.
        """
        check_score_settings(self.project_dir / "seeds")
        selection = ["--select", *(models or ["*"]), "resource_type:seed"]
        arguments = [*selection, "--exclude", "resource_type:test", "resource_type:unit_test"]
        if self.engine != "duckdb":
            arguments.append("--full-refresh")
        results = self._results("build", arguments, on_result, on_statement)
        failed = [result for result in results if not result.is_good]
        if failed:
            first = failed[0]
            message = " ".join(first.message.split()) or f"dbt says {first.status!r} and no more."
            raise TransformationError(f"dbt {first.kind} {first.name} failed: {message}")
        return results

    def compiled(self, engine: str) -> dict[str, str]:
        """Return the query of each model as it is translated for another engine.

        It is in DuckDB's dialect still. Nothing runs, and nothing may be stored: point the project
        at a file that is not there.
        """
        models = ["--select", "resource_type:model"]
        outcome = self._invoke(
            "compile", models, manifest=self.parsed, variables={"engine": engine}
        )
        nodes = [result.node for result in outcome.result.results]
        return {node.name: node.compiled_code for node in nodes if node.resource_type == "model"}

    def create_readers_functions(self) -> None:
        """Create the table functions of the layers as of a time, over tables that lie there.

        The models do so where they make their tables themselves.

        Raises:
            TransformationError: the functions do not fit the tables.
        """
        operation = ["create_readers_functions"]
        outcome = self._invoke("run-operation", operation, manifest=self.parsed)
        if not outcome.success:
            (result,) = outcome.result.results
            raise TransformationError(f"dbt {operation[0]} failed: {result.message}")

    def test(
        self,
        selection: Sequence[str] = (),
        *,
        on_result: Callable[[NodeResult], None] | None = None,
    ) -> list[NodeResult]:
        """Run data tests and unit tests; a failing test is a result, not an error.

        Args:
            selection: dbt selectors; all tests when empty.
            on_result: called as each test ends.
        """
        arguments = ["--select", *selection] if selection else []
        return self._results("test", arguments, on_result)

    def _results(
        self,
        command: str,
        arguments: list[str],
        on_result: Callable[[NodeResult], None] | None,
        on_statement: Callable[[str, str], None] | None = None,
    ) -> list[NodeResult]:
        def forward(event: Any) -> None:
            if on_statement is not None and event.info.name == "SQLQuery":
                on_statement(event.data.node_info.unique_id, event.data.sql)
            if on_result is not None and event.info.name == "NodeFinished":
                info = event.data.node_info
                on_result(
                    NodeResult(
                        unique_id=info.unique_id,
                        name=info.node_name,
                        kind=info.resource_type,
                        status=info.node_status,
                        seconds=event.data.run_result.execution_time,
                        failures=event.data.run_result.num_failures,
                        message=event.data.run_result.message,
                    )
                )

        outcome = self._invoke(command, arguments, manifest=self.parsed, callbacks=[forward])
        return [_node_result(result) for result in outcome.result.results]

    def _invoke(
        self,
        command: str,
        arguments: list[str],
        *,
        manifest: Manifest | None,
        callbacks: list[Callable[[Any], None]] | None = None,
        variables: dict[str, str] | None = None,
    ) -> Any:
        # Importing dbt costs seconds that `--help` should not.
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415
        from dbt.cli.main import dbtRunner  # noqa: PLC0415

        if self.engine != "duckdb":
            install_translation(self.engine)
        self.target_dir.mkdir(parents=True, exist_ok=True)
        self.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
        given = {"warehouse_path": str(self.warehouse_path), **(variables or {})}
        # dbt prints problems of its own loading, whatever it was told.
        with contextlib.redirect_stdout(None):
            outcome = dbtRunner(manifest=manifest, callbacks=callbacks or []).invoke(
                [
                    "--log-level=none",
                    "--log-level-file=none",
                    "--no-write-json" if command != "parse" else "--write-json",
                    command,
                    *arguments,
                    f"--project-dir={self.project_dir}",
                    f"--profiles-dir={self.project_dir}",
                    f"--target-path={self.target_dir}",
                    f"--log-path={self.target_dir}",
                    f"--target={self.engine}",
                    f"--vars={json.dumps(given)}",
                ]
            )
        if command != "parse" and self.engine == "duckdb":
            # dbt may keep the file open, and whoever deletes the warehouse in this process to build
            # it anew would be handed the old one again.
            DuckDBConnectionManager.env().close()
        error = outcome.exception
        if isinstance(error, Exception):
            raise TransformationError(f"dbt {command} failed: {text_of(error)}") from error
        if error is not None:
            # dbt catches interrupts as well. They are none of its failures: whoever interrupts
            # means this process.
            raise error
        return outcome


def _node_result(result: Any) -> NodeResult:
    return NodeResult(
        unique_id=result.node.unique_id,
        name=result.node.name,
        kind=str(result.node.resource_type),
        status=str(result.status),
        seconds=float(result.execution_time),
        failures=int(result.failures or 0),
        message=str(result.message or ""),
    )
