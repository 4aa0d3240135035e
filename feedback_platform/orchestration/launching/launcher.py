"""Dagster's run launcher of this platform; `dagster.yaml` names it."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import dagster as dg
from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, serialize_value
from dagster._serdes.config_class import ConfigurableClassData

from feedback_platform.orchestration.launching.sources import CODE
from feedback_platform.orchestration.launching.starter import (
    ColdError,
    LostError,
    SpentError,
    WarmStarter,
)
from feedback_platform.orchestration.runs import is_alive, is_here, process_of
from feedback_platform.orchestration.shortcuts import take_shortcuts

# After it could not be started, runs are launched in Dagster's way for so long.
_COLD_SECONDS: Final = 600.0
# What a micro-batch under way needs to its end, when the server stops.
_PARTING_SECONDS: Final = 15.0

_logger: Final = logging.getLogger("dagster.feedback_platform.launcher")


class WarmRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Starts a run by forking a process that has imported everything and loaded the definitions.

    Dagster's own launcher starts Python anew for each run, and imports for seconds. Where a process
    cannot be forked (another system than Linux, code that does not load, threads), it takes over,
    after one warning.

    Args:
        inst_data: what `dagster.yaml` says.
        watched: directories of the code; when a source file in them changes, it is loaded anew.
        fallback: what launches runs where none can be forked.
    """

    def __init__(
        self,
        inst_data: ConfigurableClassData | None = None,
        *,
        watched: Sequence[Path] = CODE,
        fallback: RunLauncher[dg.DagsterInstance] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inst_data = inst_data
        self._watched = watched
        self._fallback = fallback or dg.DefaultRunLauncher()
        self._lock = threading.Lock()
        self._starter: WarmStarter | None = None
        self._parting: list[WarmStarter] = []
        self._loaded: tuple[str, str] | None = None
        self._cold_until = 0.0

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What `dagster.yaml` says."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return what can be configured: nothing."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData,
        config_value: Mapping[str, Any],  # noqa: ARG003 - by Dagster's name
    ) -> Self:
        """Return the launcher that `dagster.yaml` describes."""
        return cls(inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Take note of the instance whose runs these are; whoever launches them records much."""
        take_shortcuts()
        super().register_instance(instance)
        self._fallback.register_instance(instance)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the process of a run.

        Raises:
            LostError: it is not known whether it started; Dagster marks the run as failed, which
                keeps a process that did start from executing it.
        """
        if not self._is_forked(context):
            self._fallback.launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run; return whether there was one on this host to interrupt."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if GRPC_INFO_TAG in run.tags and process_of(run) is None:
            return self._fallback.terminate(run_id)
        if _is_elsewhere(run):
            # Said to be on its way, it would be taken for cancelled in the end, and still run.
            return False
        self._instance.report_run_canceling(run)
        # Read after that was said: whoever tags the run now will read it.
        run = self._instance.get_run_by_id(run_id)
        process = process_of(run) if run is not None else None
        if run is None or process is None or _is_elsewhere(run):
            return True
        if is_alive(process):
            os.kill(int(process.partition(":")[0]), signal.SIGINT)
        else:
            self._instance.report_run_canceled(run, "The process of this run was gone already.")
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Say whether the process of a run lives. Dagster's code server watches over its own."""
        process = process_of(run)
        if process is None or is_alive(process):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its process is gone")

    def dispose(self) -> None:
        """Let the warm process go; a short run under way comes to its end."""
        with self._lock:
            self._let_go()
            deadline = time.monotonic() + _PARTING_SECONDS
            for each in self._parting:
                each.await_end(max(0.0, deadline - time.monotonic()))

    def _is_forked(self, context: LaunchRunContext) -> bool:
        """Fork the process of a run; return False where that is not possible."""
        run = context.dagster_run
        origin = run.job_code_origin
        if origin is None or not sys.platform.startswith("linux"):
            return False
        # Another code server has loaded other code, perhaps other packages.
        loaded = serialize_value(origin.repository_origin), _code_server(context)
        arguments = serialize_value(ExecuteRunArgs(origin, run.run_id, self._instance.get_ref()))
        with self._lock:
            if time.monotonic() < self._cold_until:
                return False
            try:
                try:
                    self._warm(serialize_value(origin), loaded).start(arguments)
                except SpentError:
                    self._let_go()
                    self._warm(serialize_value(origin), loaded).start(arguments)
            except ColdError as error:
                self._let_go()
                self._cold_until = time.monotonic() + _COLD_SECONDS
                _logger.warning("%s Runs start in Dagster's own way, which takes longer.", error)
                return False
            except LostError:
                self._let_go()
                raise
        return True

    def _warm(self, origin: str, loaded: tuple[str, str]) -> WarmStarter:
        if self._starter is None or self._loaded != loaded or not self._starter.is_alive:
            self._let_go()
            self._starter = WarmStarter(origin, self._watched)
            self._loaded = loaded
        return self._starter

    def _let_go(self) -> None:
        self._parting = [each for each in self._parting if each.is_alive]
        if self._starter is not None:
            self._starter.close()
            self._parting.append(self._starter)
            self._starter = None


def _is_elsewhere(run: dg.DagsterRun) -> bool:
    process = process_of(run)
    return process is not None and not is_here(process)


def _code_server(context: LaunchRunContext) -> str:
    """Return the id of the code server; it has another one after a reload."""
    origin = context.dagster_run.remote_job_origin
    if context.workspace is None or origin is None:
        return ""
    location = context.workspace.get_code_location(origin.location_name)
    return str(getattr(location, "server_id", ""))
