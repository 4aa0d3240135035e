"""What Dagster need not do again and again in one process of tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def shortcuts_taken() -> Iterator[None]:
    """Let Dagster take them in this process."""
    from feedback_platform.orchestration.launching.kept_engines import keep_engines

    with pytest.MonkeyPatch.context() as patch:
        keep_engines(patch.setattr)
        _read_migrations_once(patch)
        yield


def _read_migrations_once(patch: pytest.MonkeyPatch) -> None:
    """Each run has a file of its own, and Dagster reads its 90 migrations anew to set that up."""
    from alembic.script import ScriptDirectory

    read = ScriptDirectory.from_config
    known: dict[str | None, ScriptDirectory] = {}

    def once(config: Any) -> ScriptDirectory:
        location = config.get_main_option("script_location")
        if location not in known:
            known[location] = read(config)
        return known[location]

    patch.setattr(ScriptDirectory, "from_config", once)
