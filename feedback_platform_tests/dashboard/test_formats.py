from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feedback_platform.dashboard import formats


def test_numbers_are_written_alike_everywhere() -> None:
    assert formats.whole(12345.6) == "12,346"
    assert formats.percent(0.1234) == "12.3 %"
    assert formats.signed(-1.25) == "−1.2"  # noqa: RUF001 - a minus sign
    assert formats.signed(3.0, 0) == "+3"
    assert formats.between(0.118, 0.129, of_shares=True) == "11.8 to 12.9 %"
    assert formats.between(None, 1.0) == ""
    assert {write(None) for write in (formats.whole, formats.percent, formats.decimal)} == {
        formats.NOTHING
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (63, "1 min 3 s"),
        (660, "11 min"),
        (3 * 3600 + 300, "3 h 5 min"),
        (50 * 3600, "2 d 2 h"),
        (None, formats.NOTHING),
    ],
)
def test_stretches_of_time_have_the_unit_that_people_would_use(
    seconds: float | None, text: str
) -> None:
    assert formats.lasting(seconds) == text


def test_times_are_to_the_minute() -> None:
    assert formats.moment(datetime(2026, 11, 5, 9, 3, 59, tzinfo=UTC)) == "5 Nov 2026, 09:03"


def test_a_strange_text_is_only_a_text() -> None:
    assert formats.safe('<b onclick="x">`a<b`') == (
        "&lt;b onclick=&quot;x&quot;&gt;<code>a&lt;b</code>"
    )
