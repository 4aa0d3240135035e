from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from feedback_platform.orchestration.launching.sources import CODE, state_of


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "users.sql").write_text("select 1", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda code: (code / "models" / "users.sql").write_text("select 10", encoding="utf-8"),
        lambda code: (code / "models" / "users.sql").unlink(),
        lambda code: (code / "weights.csv").touch(),
    ],
    ids=["changed", "gone", "new"],
)
def test_a_source_file_that_is_another_makes_another_state(
    code: Path, change: Callable[[Path], object]
) -> None:
    before = state_of(code)

    change(code)

    assert state_of(code) != before


@pytest.mark.parametrize("other", ["notes.txt", "__pycache__/users.py", "target/users.sql"])
def test_what_is_no_source_does_not_matter(code: Path, other: str) -> None:
    before = state_of(code)

    (code / other).parent.mkdir(exist_ok=True)
    (code / other).touch()

    assert state_of(code) == before


def test_the_platform_s_own_code_and_its_dbt_project_are_watched() -> None:
    names = {Path(path).name for path in state_of(*CODE)}

    assert {"definitions.py", "user_feedback.sql", "signals.toml", "dbt_project.yml"} <= names
