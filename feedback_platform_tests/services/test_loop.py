"""The whole loop, as `make demo` runs it: a real S3 server changes nothing that it builds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from feedback_platform.lake import keys
from feedback_platform_tests.installation import Installation, differences

COMMAND: Final = (sys.executable, "-m", "feedback_platform", "demo")
PARAMETERS: Final = ("--users", "300", "--days", "14", "--seed", "3")
# What names a run, its instant or its place. All else is a function of the events.
FIGURES_OF_THE_RUN: Final = {"model_version", "published", "seconds"}
COLUMNS_OF_THE_RUN: Final = (
    "model_version",
    "promoted_at",
    "segmentation",
    "trained_at",
    "version",
)
# The rest of a version's name is a hash of its content.
# Of versions; of files of lists also the digest, since their instant is within them.
INSTANT: Final = re.compile(r"\d{8}T(\d{12}Z-[0-9a-f]{8}|\d{9}Z-)")


@pytest.fixture
def remote(s3_lake_url: str, tmp_path: Path) -> Installation:
    return Installation(tmp_path / "remote", s3_lake_url)


def test_the_demo_on_an_s3_server_builds_what_it_builds_in_a_directory(
    remote: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("FEEDBACK_LAKE_URL", remote.settings.lake_url)
        on_s3 = demo(remote)
    local = Installation(tmp_path / "local")
    # Both are about the same days, also when midnight falls between them.
    simulation = remote.lake.get(keys.demo_simulation())
    local.lake.put(keys.demo_simulation(), simulation, mode="create")
    in_a_directory = demo(local)

    assert on_s3 == in_a_directory
    assert on_s3["interactions"] > 10_000
    assert on_s3["recommendations"] > 1_000
    assert differences(tables(remote), tables(local)) == []
    assert models(remote) == models(local)
    assert remote.lake.get(keys.drift_state()) == local.lake.get(keys.drift_state())
    assert published_copy(remote) == published_files(remote)
    assert not (remote.settings.data_dir / "lake").exists()


def demo(installation: Installation) -> dict[str, Any]:
    """What the command says that it built."""
    directory = str(installation.settings.data_dir)
    command = [*COMMAND, *PARAMETERS, "--json", "--data-dir", directory]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return {name: figure for name, figure in outcome.items() if name not in FIGURES_OF_THE_RUN}


def tables(installation: Installation) -> dict[str, pl.DataFrame]:
    return {
        name: table.drop(COLUMNS_OF_THE_RUN, strict=False)
        for name, table in installation.tables().items()
    }


def models(installation: Installation) -> list[str]:
    return sorted(INSTANT.sub("", key) for key in installation.lake.list_keys(keys.MODELS))


def published_copy(installation: Installation) -> dict[str, bytes]:
    """The files in the lake that its pointer names."""
    named = json.loads(installation.lake.get(keys.published_current()))
    files = [file for table in named.values() for file in [*table["files"], *table["layers"]]]
    return {file: installation.lake.get(keys.published_file(file)) for file in files}


def published_files(installation: Installation) -> dict[str, bytes]:
    """The files behind the published database."""
    directory = installation.settings.published_path.parent / "tables"
    names = installation.query("select name from published.files")["name"]
    return {name: (directory / name).read_bytes() for name in names}
