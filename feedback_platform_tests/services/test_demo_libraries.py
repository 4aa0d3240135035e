"""The libraries that the demo page brings are their makers' own files, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.serving.demo.routes import LIBRARIES

MANIFEST: dict[str, dict[str, str]] = json.loads((LIBRARIES / "manifest.json").read_text())


@pytest.mark.parametrize("name", MANIFEST)
def test_every_file_is_the_packages_own(
    name: str, openfeature_sdks: Path, segment_sdks: Path
) -> None:
    sdks = openfeature_sdks if name.startswith("@openfeature/") else segment_sdks
    files = [path for path in (LIBRARIES / name).rglob("*") if path.is_file()]
    assert files
    for file in files:
        original = sdks / "node_modules" / file.relative_to(LIBRARIES)
        assert file.read_bytes() == original.read_bytes(), file


@pytest.mark.parametrize("name", MANIFEST)
def test_the_package_is_the_one_that_the_manifest_names(
    name: str, openfeature_sdks: Path, segment_sdks: Path
) -> None:
    """npm has checked the package by the same hash when it installed it."""
    sdks = openfeature_sdks if name.startswith("@openfeature/") else segment_sdks
    locked: dict[str, Any] = json.loads((sdks / "package-lock.json").read_text())["packages"]
    package = locked[f"node_modules/{name}"]
    assert MANIFEST[name]["version"] == package["version"]
    assert MANIFEST[name]["integrity"] == package["integrity"]
