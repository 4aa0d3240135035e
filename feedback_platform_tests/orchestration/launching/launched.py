"""Runs of `few_jobs` through an instance of Dagster with the launcher of this platform."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher.base import LaunchRunContext, RunLauncher
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.storage.dagster_run import DagsterRun

from feedback_platform.orchestration.launching.launcher import WarmRunLauncher
from feedback_platform_tests.orchestration.launching import few_jobs
from feedback_platform_tests.waiting import until

PATIENCE = 120.0


class NoRuns(RunLauncher[dg.DagsterInstance]):
    """Takes the place of Dagster's own launcher: remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.asked: list[str] = []

    def launch_run(self, context: LaunchRunContext) -> None:
        self.asked.append(context.dagster_run.run_id)

    def terminate(self, run_id: str) -> bool:  # noqa: ARG002
        return False


class Launched:
    """An instance in a directory, its launcher, and the runs it starts."""

    def __init__(
        self,
        directory: Path,
        module: str = few_jobs.__name__,
        definitions: dg.Definitions = few_jobs.defs,
    ) -> None:
        self.directory = directory
        self.definitions = definitions
        self.code = directory / "code"
        self.code.mkdir()
        self.fallback = NoRuns()
        self.launcher = WarmRunLauncher(watched=[self.code], fallback=self.fallback)
        home = directory / "home"
        home.mkdir()
        self.instance = dg.DagsterInstance.from_config(str(home))
        self.instance._run_launcher = self.launcher
        self.launcher.register_instance(self.instance)
        self._recon = ReconstructableRepository.for_module(module, "defs")
        self._files = 0

    def close(self) -> None:
        self.instance.dispose()

    def start(self, job: str, *, code_server: str = "", **named: Any) -> tuple[str, Path]:
        """Launch a run; return its id, and the file in which it tells of itself."""
        self._files += 1
        file = self.directory / f"told-{self._files}"
        ops = {"telling": "tells", "waiting": "waits"}
        config = {"ops": {ops[job]: {"config": {"file": str(file)}}}} if job in ops else {}
        run = self.instance.create_run_for_job(
            self.definitions.resolve_job_def(job),
            run_config=config,
            status=dg.DagsterRunStatus.STARTING,
            job_code_origin=self._recon.get_reconstructable_job(job).get_python_origin(),
            **named,
        )
        self.launch(run, code_server)
        return run.run_id, file

    def launch(self, run: DagsterRun, code_server: str = "") -> None:
        """Launch a run as the queue does, beside a code server of some id."""
        location = RegisteredCodeLocationOrigin("here")
        origin = RemoteRepositoryOrigin(location, "__repository__").get_job_origin(run.job_name)
        workspace: Any = SimpleNamespace(
            get_code_location=lambda _: SimpleNamespace(server_id=code_server)
        )
        context = LaunchRunContext(run._replace(remote_job_origin=origin), workspace)
        self.launcher.launch_run(context)

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def ended(self, run_id: str) -> dg.DagsterRunStatus:
        """Wait for the end of a run; return what came of it."""
        finished = {
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.CANCELED,
        }
        until(lambda: self.status(run_id) in finished, seconds=PATIENCE)
        return self.status(run_id)

    def messages(self, run_id: str) -> str:
        return "\n".join(entry.message for entry in self.instance.all_logs(run_id))


def processes(file: Path) -> tuple[int, int]:
    """Who a run says that it is, and whose child."""
    until(lambda: file.exists() and bool(file.read_text(encoding="utf-8")), seconds=PATIENCE)
    own, parent = file.read_text(encoding="utf-8").split()
    return int(own), int(parent)
