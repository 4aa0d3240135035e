from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import feedback_platform
from feedback_platform.learning.code_version import code_version

PACKAGE = Path(feedback_platform.__file__).parent
PRINT = "from feedback_platform.learning.code_version import code_version; print(code_version())"


def of_a_copy(directory: Path, change: str | None = None) -> str:
    """The code version of a package that lies in no checkout, with a line more if so wished."""
    shutil.copytree(PACKAGE, directory / "feedback_platform")
    if change:
        with (directory / "feedback_platform" / "learning" / "ranking.py").open("a") as file:
            file.write(change)
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    command = [sys.executable, "-c", PRINT]
    return subprocess.check_output(command, env=environment, cwd=directory, text=True).strip()


def test_the_code_version_is_the_release_and_a_digest() -> None:
    assert re.fullmatch(
        re.escape(feedback_platform.__version__) + r"\+[0-9a-f]{12}", code_version()
    )


def test_it_is_the_same_wherever_the_package_lies_and_another_after_a_change(
    tmp_path: Path,
) -> None:
    assert of_a_copy(tmp_path / "same") == code_version()
    assert of_a_copy(tmp_path / "changed", "\n# a change\n") != code_version()
