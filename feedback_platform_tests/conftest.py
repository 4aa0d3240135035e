from __future__ import annotations

import gc
import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import cache, cached_property
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import botocore.session
import pytest
import sqlalchemy
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from feedback_platform.settings import DBT_PROJECT_DIR, PROJECT_DIR
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.dagster_shortcuts import shortcuts_taken
from feedback_platform_tests.dbt_shortcuts import take_shortcuts
from feedback_platform_tests.dbt_statements import run_by_dbt, statements_sent_again
from feedback_platform_tests.publishing_shortcuts import macros_bound_once
from feedback_platform_tests.services.s3_server import BUCKET, s3_variables

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# Its assertions are explained like those of the files that pytest collects.
pytest.register_assert_rewrite(
    "feedback_platform_tests.lake.conformance",
    "feedback_platform_tests.adjustment.flags.conformance",
)

# Time is measured by benchmarks; a busy machine is no counterexample.
hypothesis_settings.register_profile(
    "feedback", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("feedback")


# A worker of xdist has no main module to speak of, which PySpark takes for a run of its own
# doctests: it would end the worker as soon as something imports it.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__spec__ = ModuleSpec("__main__", None)

# Whoever begins with the longest files has no long one left when the other workers are done.
LONGEST_FIRST = ("journeys", "warehouse", "orchestration", "cli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the packages with the longest files in front; `make test` keeps this order.

    What takes long anyway, the random histories above all, is rendered by dbt each time.
    """

    def place(item: pytest.Item) -> int:
        package = item.path.relative_to(Path(__file__).parent).parts[0]
        return LONGEST_FIRST.index(package) if package in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=place)
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("slow"):
            # Its own list: the other seeds of the same test share the one that is there.
            item.fixturenames = [*item.fixturenames, "rendered_by_dbt"]


def _keep_for_good() -> None:
    """Let the collector leave alone what is there now: a million objects that nobody drops."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    """Everything is imported."""
    _keep_for_good()


def pytest_sessionfinish() -> None:
    """At its end the interpreter takes everything apart, and libraries tell of what it cannot."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _dbt_is_parsed_once() -> Iterator[None]:
    """Parsing takes seconds and finds the same for every platform, wherever its files lie."""
    parse = cast("cached_property[Manifest]", vars(DbtProject)["parsed"]).func
    of_this_project: dict[str, Manifest] = {}

    def parsed(project: DbtProject) -> Manifest:
        if project.project_dir != DBT_PROJECT_DIR:
            return parse(project)
        if project.engine not in of_this_project:
            if not of_this_project:
                take_shortcuts(patch)
            # dbt keeps the name of the file for that of the database: all warehouses are called so.
            of_this_project[project.engine] = parse(
                DbtProject(
                    project.project_dir,
                    project.target_dir,
                    project.target_dir / "warehouse.duckdb",
                    project.engine,
                )
            )
            _keep_for_good()
        return of_this_project[project.engine]

    as_data = cast("cached_property[dict[str, Any]]", vars(DbtProject)["manifest"]).func
    data_of_this_project: dict[str, dict[str, Any]] = {}

    def manifest(project: DbtProject) -> dict[str, Any]:
        if project.project_dir != DBT_PROJECT_DIR:
            return as_data(project)
        if project.engine not in data_of_this_project:
            data_of_this_project[project.engine] = as_data(project)
        return data_of_this_project[project.engine]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbtProject, "parsed", property(parsed))
        patch.setattr(DbtProject, "manifest", property(manifest))
        yield


@pytest.fixture(scope="session", autouse=True)
def _dbt_renders_once() -> Iterator[None]:
    with statements_sent_again():
        yield


@pytest.fixture
def rendered_by_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who tests what dbt itself does: it renders what it sends each time, as in the product.

    What a fixture of the module or the session has done by then is not; nor what a fixture does
    that is asked for before.
    """
    monkeypatch.setattr(DbtProject, "run", run_by_dbt)


@pytest.fixture(scope="session", autouse=True)
def _no_disk_is_waited_for() -> Iterator[None]:
    """No test of this process pulls the plug.

    Dagster records each step of a run, and whatever is written to the lake is forced to disk: a
    dozen times in a small one, of milliseconds each.
    """

    def relax(connection: sqlite3.Connection, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("pragma synchronous = off")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", relax)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield
    sqlalchemy.event.remove(sqlalchemy.Engine, "connect", relax)


@pytest.fixture(scope="session", autouse=True)
def _dagster_takes_shortcuts() -> Iterator[None]:
    # Importing it takes a second; whoever runs it has collected a test that does.
    with shortcuts_taken() if "dagster" in sys.modules else nullcontext():
        yield


@pytest.fixture(scope="session", autouse=True)
def _readers_macros_are_bound_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with macros_bound_once(tmp_path_factory.mktemp("published") / "first.duckdb"):
        yield


@pytest.fixture(scope="session", autouse=True)
def _descriptions_of_aws_are_read_once() -> Iterator[None]:
    """Whoever opens a bucket asks boto3 where it is, which parses megabytes each time.

    Each session adds the same directory to where the shared loader looks, which does no harm.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets; a machine without them skips, but CI may not."""
    default = PROJECT_DIR.parent / "shared" / "data"
    path = Path(os.environ.get("FEEDBACK_SHARED_DATA") or default)
    if not path.is_dir():
        message = f"{path} does not exist; FEEDBACK_SHARED_DATA must name the real data sets"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture
def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A server on this machine that speaks S3 over HTTP; the service tests have a real one."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_lake_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An S3 lake with a prefix of its own, configured by AWS's own variables."""
    import boto3

    for name, value in s3_variables(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    client = boto3.client("s3", region_name="us-east-1")
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}/{uuid4().hex}"
