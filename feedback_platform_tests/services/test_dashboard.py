"""Every page of the dashboard in a real browser, on a desktop and on a phone.

`FEEDBACK_TEST_PICTURES=docs/dashboard` keeps the pictures of the demo's data, or of the data
directory that `FEEDBACK_TEST_PICTURES_OF` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from feedback_platform.dashboard.app import PAGES
from feedback_platform_tests.dashboard.contract_tables import NASTY, contract_tables, published_with
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.dashboard_driver import DashboardPage, serving_dashboard
from feedback_platform_tests.services.devtools import Tab, tab

WIDTHS: Final = {"desktop": 1280, "phone": 375}
NARROWEST: Final = 320
DEMO: Final = (
    "metrics.engagement_daily", "metrics.quarantine_daily", "ml.segment_profiles",
    "ml.model_versions",
)  # fmt: skip
NAMES: Final = [page.name for page in PAGES]


@pytest.fixture(scope="module")
def demo_dashboard(demo_product: Installation) -> Iterator[str]:
    """The dashboard of the demo's data, or of those that pictures are wanted of."""
    named = os.environ.get("FEEDBACK_TEST_PICTURES_OF")
    with serving_dashboard(Path(named) if named else demo_product.settings.data_dir) as address:
        yield address


@pytest.fixture(scope="module")
def full_dashboard(demo_product: Installation, service_dir: Path) -> Iterator[str]:
    """The same with experiments, drift and adjustments, which the demo alone does not have."""
    with _with_measured(demo_product, service_dir / "full" / "data") as address:
        yield address


@pytest.fixture(scope="module")
def readable_dashboard(demo_product: Installation, service_dir: Path) -> Iterator[str]:
    """The same without texts that try to be markup, for a picture."""
    with _with_measured(demo_product, service_dir / "readable" / "data", nasty="beta") as address:
        yield address


@contextmanager
def _with_measured(demo: Installation, data_dir: Path, nasty: str = NASTY) -> Iterator[str]:
    source = demo.settings.published_path
    ((last,),) = demo.query("select max(day) from metrics.engagement_daily").iter_rows()
    assert isinstance(last, date)
    (data_dir / "published").mkdir(parents=True)
    # Those that the demo has are its own.
    measured = {
        name: rows.with_columns(pl.col(pl.String).str.replace(NASTY, nasty, literal=True))
        for name, rows in contract_tables(last).items()
        if name not in DEMO
    }
    published_with(measured, data_dir / "published" / "feedback.duckdb", source)
    with serving_dashboard(data_dir) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab() as opened:
        yield opened


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_its_charts_and_no_error(
    full_dashboard: str, browser: Tab, name: str, device: str
) -> None:
    page = DashboardPage(browser, full_dashboard, name, width=WIDTHS[device])

    assert page.errors == 0, page.text
    assert page.charts >= 2, page.text
    assert page.overhang <= 0
    assert page.foreign == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_the_narrowest_phone_in_the_dark(
    full_dashboard: str, browser: Tab, name: str
) -> None:
    browser.prefer(prefers_color_scheme="dark")
    try:
        page = DashboardPage(browser, full_dashboard, name, width=NARROWEST)
        assert page.errors == 0, page.text
        assert page.overhang <= 0
    finally:
        browser.prefer(prefers_color_scheme="light")


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_the_demo_opens_and_has_its_picture(
    demo_dashboard: str,
    readable_dashboard: str,
    browser: Tab,
    tmp_path: Path,
    name: str,
    device: str,
) -> None:
    width = WIDTHS[device]
    # No trigger rule fires in the demo.
    address = readable_dashboard if name == "adjustments" else demo_dashboard
    page = DashboardPage(browser, address, name, width=width, period="All days")

    assert page.errors == 0, page.text
    pictures = Path(os.environ.get("FEEDBACK_TEST_PICTURES", tmp_path))
    page.picture(pictures / f"{name}-{device}.png", width=width)


def test_a_dashboard_of_nothing_says_what_to_do(browser: Tab, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with serving_dashboard(tmp_path / "data") as address:
        page = DashboardPage(browser, address, "overview", width=WIDTHS["desktop"])
        assert "Nothing is published yet." in page.text
        assert page.errors == 0
