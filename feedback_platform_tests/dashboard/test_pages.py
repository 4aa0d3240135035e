"""Each page of the dashboard on a real publication, on parts of one, and on none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from feedback_platform.dashboard import launch
from feedback_platform.dashboard.app import PAGES
from feedback_platform_tests.dashboard.contract_tables import (
    NASTY,
    contract_tables,
    published_with,
)
from feedback_platform_tests.dashboard.streamlit_page import SECONDS, charts, shown, tags, texts
from feedback_platform_tests.installation import FIRST_DAY, Installation

_DAYS: Final = 10
LAST: Final = FIRST_DAY + timedelta(days=_DAYS - 1)
NAMES: Final = [page.name for page in PAGES]
# Charts of each page when every table has rows; a figure over time has two.
CHARTS: Final = {
    "overview": 2, "engagement": 9, "satisfaction": 11, "segments": 2, "models": 3,
    "experiments": 3, "adjustments": 2, "drift": 2, "quality": 9,
}  # fmt: skip


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A simulated product, processed; the services' tests have one with models, too."""
    installation = Installation(tmp_path_factory.mktemp("dashboard") / "data")
    installation.simulate(users=60, days=_DAYS)
    installation.process()
    return installation


@pytest.fixture(scope="module")
def published(product: Installation) -> Path:
    """Its publication."""
    return product.settings.published_path


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication in which every table has rows, made by hand."""
    path = tmp_path_factory.mktemp("full") / "feedback.duckdb"
    return published_with(contract_tables(LAST), path)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_what_a_real_publication_has(published: Path, name: str) -> None:
    page = shown(published, name)

    assert not page.exception
    assert page.title[0].value == next(each.title for each in PAGES if each.name == name)


@pytest.fixture(scope="module")
def full_page(full: Path) -> Callable[[str], AppTest]:
    """Each of its pages, run once, for all who only look at it."""
    return cache(lambda name: shown(full, name))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_every_chart_when_every_table_has_rows(
    full_page: Callable[[str], AppTest], name: str
) -> None:
    page = full_page(name)

    assert not page.exception
    assert charts(page) >= CHARTS[name], texts(page)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_to_do_when_nothing_is_published(tmp_path: Path, name: str) -> None:
    page = shown(tmp_path / "feedback.duckdb", name)

    assert not page.exception
    assert charts(page) == 0
    assert "Nothing is published yet. Load events and run feedback-platform process" in texts(page)


@pytest.fixture(scope="module")
def emptied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication in which no table has a row."""
    tables = {each: frame.clear() for each, frame in contract_tables(FIRST_DAY).items()}
    return published_with(tables, tmp_path_factory.mktemp("emptied") / "feedback.duckdb")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_tables_without_rows_says_what_fills_them(emptied: Path, name: str) -> None:
    page = shown(emptied, name)

    assert not page.exception
    assert charts(page) == 0


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    path = published_with({}, tmp_path / "feedback.duckdb")

    said = texts(shown(path, "engagement"))

    assert "metrics.engagement_daily is not published" in said


def test_a_table_of_another_version_is_named_with_what_it_lacks(full: Path, tmp_path: Path) -> None:
    older = pl.DataFrame({"experiment_id": ["a"], "status": ["running"]})
    path = published_with({"metrics.experiments": older}, tmp_path / "feedback.duckdb", full)

    page = shown(path, "experiments")

    assert not page.exception
    said = texts(page)
    assert (
        "metrics.experiments was published by a version of the platform that does not fit" in said
    )
    assert "it has no hypothesis, lever, subject" in said


def test_a_column_of_another_type_is_named_too(full: Path, tmp_path: Path) -> None:
    odd = contract_tables(FIRST_DAY)["metrics.drift_events"].with_columns(detected_at=pl.lit("?"))
    path = published_with({"metrics.drift_events": odd}, tmp_path / "feedback.duckdb", full)

    page = shown(path, "drift")

    assert not page.exception
    assert "metrics.drift_events was published by a version" in texts(page)


def test_a_database_that_is_none_is_said_to_be_unreadable(tmp_path: Path) -> None:
    (tmp_path / "feedback.duckdb").write_bytes(b"no database at all" * 1000)

    page = shown(tmp_path / "feedback.duckdb", "overview")

    assert not page.exception
    assert "cannot be opened" in texts(page)


@pytest.mark.parametrize("name", ["experiments", "adjustments", "drift", "overview"])
def test_what_others_wrote_is_text_and_nothing_else(
    full_page: Callable[[str], AppTest], name: str
) -> None:
    page = full_page(name)

    assert not {"img", "a", "script"} & tags(page)
    assert all(NASTY not in each.value for each in page.markdown)
    if name != "overview":
        assert NASTY in texts(page)


def test_a_choice_narrows_what_is_shown_and_stands_on_the_page(full: Path) -> None:
    page = shown(full, "engagement")
    everything = len(page.get("vega_lite_chart"))

    page.multiselect(key="placements").select("home").run(timeout=SECONDS)

    assert not page.exception
    assert "all segments · home" in texts(page)
    assert len(page.get("vega_lite_chart")) == everything


def test_the_period_ends_with_the_newest_day(full: Path) -> None:
    page = shown(full, "quality")

    page.selectbox(key="period").select("Last 7 days").run(timeout=SECONDS)

    assert not page.exception
    assert "8 Jan 2026 to 14 Jan 2026" in texts(page)


def test_a_new_publication_is_what_the_next_look_shows(full: Path, tmp_path: Path) -> None:
    path = tmp_path / "feedback.duckdb"
    tables = contract_tables(FIRST_DAY)
    published_with({"metrics.alerts": tables["metrics.alerts"].clear()}, path, full)
    page = shown(path, "overview")
    assert "No alert is open." in texts(page)

    published_with({"metrics.alerts": tables["metrics.alerts"]}, path, full)
    page.run(timeout=SECONDS)

    assert not page.exception
    assert "No alert is open." not in texts(page)


def test_the_whole_opens_with_the_overview(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = str(launch.SCRIPT)
    monkeypatch.setattr(sys, "argv", [script, str(full)])

    page = AppTest.from_file(script).run(timeout=SECONDS)

    assert not page.exception
    assert page.title[0].value == "Overview"
