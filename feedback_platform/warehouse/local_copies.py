"""Objects of the lake as files, for an engine that reads paths."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from feedback_platform.lake.store import Lake


class LocalCopies:
    """Paths under which a local engine reads objects; copies of remote ones, gone afterwards."""

    def __init__(self, lake: Lake, cache_dir: Path) -> None:
        self._lake = lake
        self._cache_dir = cache_dir
        self._copied: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for path in self._copied:
            path.unlink(missing_ok=True)

    def paths(self, objects: list[str]) -> list[str]:
        """Return a local path for each key."""
        if self._lake.directory is not None:
            return [str(self._lake.directory / key) for key in objects]
        paths = []
        for key in objects:
            path = self._cache_dir / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._lake.get(key))
            self._copied.append(path)
            paths.append(str(path))
        return paths
