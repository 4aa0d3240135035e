"""The readers' macros, bound once: DuckDB does so as it creates them, which takes long.

A first publication begins with what an earlier platform's has; those that follow begin with their
own, as in the product.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.warehouse import publishing
from feedback_platform.warehouse.published_database import write_database


@contextmanager
def macros_bound_once(first: Path) -> Iterator[None]:
    """Let first publications begin with a database that is kept in this file."""

    def written(path: Path, *given: Any, base: Path) -> None:
        write_database(path, *given, base=base if base.exists() else first)
        if not first.exists():
            shutil.copyfile(path, first)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "write_database", written)
        yield
