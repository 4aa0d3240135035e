from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from feedback_platform.monitoring.signal_quality import QUALITY_SCHEMA
from feedback_platform.monitoring.signal_weights import WEIGHTS_SCHEMA
from feedback_platform.orchestration.assets.measuring import (
    first_open_day,
    quality_as_markdown,
    weights_as_markdown,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("newest", "day"),
    [
        pytest.param(date(2026, 3, 2), date(2026, 3, 2), id="today is not over"),
        pytest.param(date(2026, 3, 1), date(2026, 3, 2), id="yesterday is"),
        pytest.param(date(1998, 4, 22), date(1998, 4, 23), id="of old data all days are"),
        pytest.param(date(2026, 3, 5), date(2026, 3, 2), id="a clock is ahead"),
        pytest.param(None, date(2026, 3, 2), id="nothing is known"),
    ],
)
def test_the_first_day_that_is_not_over(newest: date | None, day: date) -> None:
    assert first_open_day(newest, NOON) == day


def test_the_tables_in_the_ui_say_when_there_is_nothing_to_show() -> None:
    assert quality_as_markdown(pl.DataFrame(schema=QUALITY_SCHEMA)).startswith("Too few users")
    assert weights_as_markdown(pl.DataFrame(schema=WEIGHTS_SCHEMA)).startswith("Nothing was")


def test_the_tables_in_the_ui_show_figures_with_their_intervals() -> None:
    row = {
        name: 0.25 if dtype == pl.Float64 else 7 if dtype == pl.Int64 else "click"
        for name, dtype in QUALITY_SCHEMA.items()
        if name != "as_of"
    }
    quality = pl.DataFrame([row], schema=QUALITY_SCHEMA)
    weights = pl.DataFrame(
        [("click", 0.25, 0.3, None, None, "Seen.", NOON)], schema=WEIGHTS_SCHEMA, orient="row"
    )

    assert quality_as_markdown(quality).splitlines()[-1] == (
        "| click | click | 7 | 7 | +0.250 (+0.250 to +0.250) | +0.250 (+0.250 to +0.250) | 0.25 |"
    )
    assert weights_as_markdown(weights).splitlines()[-1] == "| click | 0.250 | 0.300 | Seen. |"
