"""Whoever is woken by an alarm finds it in the runbook."""

from __future__ import annotations

import re

import pytest

from feedback_platform.settings import PROJECT_DIR

DOCS = PROJECT_DIR / "docs"
RUNBOOK = (DOCS / "runbook.md").read_text("utf-8")


def first_column(page: str) -> list[str]:
    """What stands in code in the first cells of a page's tables."""
    rows = re.findall(r"^\| (`.*?) \|", (DOCS / page).read_text("utf-8"), flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("kind", ["run_failure", "stale_table", "drift", "sample_ratio"])
def test_every_alert_is_in_the_runbook(kind: str) -> None:
    assert kind in first_column("alerts.md")
    assert f"| `{kind}`" in RUNBOOK


def test_there_are_no_other_alerts() -> None:
    settings = {name for name in first_column("alerts.md") if name.isupper()}
    kinds = set(first_column("alerts.md")) - settings
    assert kinds == {"run_failure", "stale_table", "drift", "sample_ratio", "quarantine"}
    assert "| `quarantine`" in RUNBOOK


def test_every_metric_is_in_the_runbook() -> None:
    metrics = {name for name in first_column("operating.md") if "_" in name}
    assert len(metrics) > 35

    assert {name for name in metrics if f"`{name}" not in RUNBOOK} == set()


def test_the_links_of_the_runbook_and_of_the_deployment_lead_somewhere() -> None:
    deployment = (DOCS / "deployment.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", RUNBOOK + deployment)

    assert len(links) >= 10
    assert [link for link in links if not (DOCS / link).exists()] == []
