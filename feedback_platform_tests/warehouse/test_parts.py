from __future__ import annotations

from datetime import date

from feedback_platform.warehouse.parts import (
    FILES_OF_A_PART,
    MONTH_ROWS,
    day_part,
    files_taken_up,
    month_of,
    months_in_question,
    parts_to_write,
)

SMALL, LARGE = {"2026-02": MONTH_ROWS}, {"2026-02": MONTH_ROWS + 1}
DAY = date(2026, 2, 3)


def labels(changed: list[date], kept: set[str], rows: dict[str, int]) -> list[str]:
    return [part.label for part in parts_to_write(changed, kept, rows)]


def test_a_month_is_from_its_first_day_to_the_first_of_the_next() -> None:
    assert month_of(date(2025, 12, 31)) == month_of(date(2025, 12, 1))
    december = month_of(date(2025, 12, 31))
    assert (december.label, december.begin, december.end) == (
        "2025-12",
        date(2025, 12, 1),
        date(2026, 1, 1),
    )
    assert month_of(date(999, 2, 1)).label == "0999-02"


def test_a_small_month_is_one_part() -> None:
    assert labels([DAY, date(2026, 2, 28)], {"2026-01", "2026-02"}, SMALL) == ["2026-02"]


def test_a_month_that_has_grown_large_is_cut_by_day() -> None:
    written = labels([DAY], {"2026-02"}, LARGE)

    assert written == [f"2026-02-{day:02d}" for day in range(1, 29)]


def test_of_a_month_cut_by_day_the_changed_days_are_written_even_when_it_has_shrunk() -> None:
    kept = {"2026-02-01", "2026-02-03"}

    assert labels([DAY, date(2026, 2, 9)], kept, SMALL) == ["2026-02-03", "2026-02-09"]


def test_a_day_ends_where_the_next_begins() -> None:
    assert day_part(date(2026, 2, 28)).end == day_part(date(2026, 3, 1)).begin


def test_the_rows_of_a_month_cut_by_day_are_in_no_question() -> None:
    kept = {"2026-01", "2026-02-01", "0999-02-01"}

    assert months_in_question([date(2026, 1, 1), DAY, date(999, 2, 2)], kept) == [
        month_of(date(2026, 1, 1))
    ]


def test_added_rows_take_up_files_that_are_not_much_larger() -> None:
    assert files_taken_up([1000], 10) == 0
    assert files_taken_up([1000, 15], 10) == 1


def test_a_part_that_would_have_too_many_files_becomes_one() -> None:
    files = [1000, 400, 100][-FILES_OF_A_PART:]

    assert files_taken_up(files[1:], 10) == 0
    assert files_taken_up(files, 10) == FILES_OF_A_PART
