"""docs/layers.md cannot lie: its events are landed, and its queries give its tables.

A block of JSON lines is landed and processed; a query is run, and the table after it is what it
gives, rounded to four digits. `FEEDBACK_TEST_WRITE_DOCS=1 pytest …` writes the tables anew.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feedback_platform.cleaning.reference import ALL_DEVICES, BEGINNING, Reference, SignalStatistics
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.warehouse.small_platform import SmallPlatform

pytestmark = pytest.mark.usefixtures("rendered_by_dbt")

DOCUMENT = PROJECT_DIR / "docs" / "layers.md"
STATISTICS = re.compile(r"\| mean and median \|.*\n\|[-|]+\n\|(.*)\|\n")
BLOCK = re.compile(
    r"```json\n(?P<events>.*?)```|```sql\n(?P<query>.*?)```\n\n(?P<table>(?:\|[^\n]*\|\n)+)",
    re.DOTALL,
)
RECEIVED = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def example(platform: SmallPlatform) -> SmallPlatform:
    """A platform with the reference statistics of the document."""
    found = STATISTICS.search(DOCUMENT.read_text())
    assert found is not None
    mean, deviation, lower, upper, low, high = map(float, found[1].split("|"))
    platform.reference = Reference(
        "of-the-document",
        BEGINNING,
        100,
        tuple(
            SignalStatistics(
                signal, ALL_DEVICES, 100, mean, mean, lower, upper, mean, deviation, low, high
            )
            for signal in ("view", "use")
        ),
    )
    return platform


def test_the_example_in_the_document_is_what_happens(example: SmallPlatform) -> None:
    arrivals = 0

    def replayed(block: re.Match[str]) -> str:
        nonlocal arrivals
        if block["events"] is not None:
            lines = [json.loads(line) for line in block["events"].splitlines()]
            received_at = RECEIVED + timedelta(days=2 * arrivals)
            example.land(*lines, received_at=received_at, object_id=str(arrivals))
            example.process()
            arrivals += 1
            return block[0]
        table = _table(example.records(f"from ({block['query']}) order by 1"))
        return f"```sql\n{block['query']}```\n\n{table}"

    text = DOCUMENT.read_text()
    replayed_text = BLOCK.sub(replayed, text)
    if os.environ.get("FEEDBACK_TEST_WRITE_DOCS"):
        DOCUMENT.write_text(replayed_text)

    assert arrivals == 2
    assert text == replayed_text
    assert example.tables() == example.rebuilt().stored()


def _table(records: list[dict[str, Any]]) -> str:
    """The records as a table of the document."""
    names = list(records[0])
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(value) for value in record.values()] for record in records]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4f}".rstrip("0").rstrip(".")
        case dict():
            return ", ".join(f"{name} {_cell(share)}" for name, share in value.items()) or "none"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case _:
            return str(value)
