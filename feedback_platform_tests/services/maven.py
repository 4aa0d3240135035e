"""Jars of Maven Central, by a pom.xml that pins them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from uuid import uuid4

from feedback_platform_tests.services.processes import CACHE, required_command, run


def fetched_jars(pom: Path) -> Path:
    """Return the directory of the jars that a pom.xml names, fetched once for each version of it.

    Raises:
        ServiceError: Maven is missing, or could not fetch them.
    """
    name = pom.parent.name
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    jars = CACHE / f"{name}-{digest}"
    if not jars.is_dir():
        maven = required_command("mvn", "maven")
        fetched = CACHE / f"{name}-{uuid4().hex}"
        run(
            [
                maven,
                "--batch-mode",
                "--quiet",
                "--file",
                str(pom),
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={fetched}",
            ],
            cwd=pom.parent,
        )
        try:
            fetched.rename(jars)
        except OSError:
            # Another run fetched them at the same time.
            shutil.rmtree(fetched)
    return jars
