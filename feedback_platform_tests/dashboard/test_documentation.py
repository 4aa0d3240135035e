"""What docs/other-dashboards.md tells readers to write, run as it stands there."""

from __future__ import annotations

import re
import textwrap
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback_platform.dashboard.app import PAGES
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.dashboard.contract_tables import published_with

DOCS = PROJECT_DIR / "docs"


def cell() -> str:
    """The notebook's cell: the indented block below its heading."""
    _, _, below = (DOCS / "other-dashboards.md").read_text("utf-8").partition("## A notebook")
    lines = below.split("What was verified")[0].splitlines()
    indented = [line for line in lines if line.startswith("    ") or not line]
    return textwrap.dedent("\n".join(indented))


def test_the_notebook_shows_what_is_published_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.DataFrame({"day": [date(2026, 1, 5)] * 2, "clicks": [1, 4], "impressions": [10, 40]})
    path = tmp_path / "data" / "published" / "feedback.duckdb"
    path.parent.mkdir(parents=True)
    published_with({"metrics.engagement_daily": rows}, path)
    monkeypatch.chdir(tmp_path)
    notebook: dict[str, Any] = {}
    exec(cell(), notebook)  # noqa: S102 - our own documentation

    first = notebook["ask"]("select sum(clicks) as clicks from metrics.engagement_daily")
    published_with({"metrics.engagement_daily": rows.head(1)}, path)
    second = notebook["ask"]("select sum(clicks) as clicks from metrics.engagement_daily")

    assert (first.item(), second.item()) == (5, 1)


def test_the_documentation_names_every_page() -> None:
    text = (DOCS / "dashboard.md").read_text("utf-8")

    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    assert [page.title for page in PAGES if f"| {page.title} |" not in plain] == []
