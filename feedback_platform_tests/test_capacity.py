"""What measured costs come to, worked out by hand beside `benchmarks/capacity.py`."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.settings import PROJECT_DIR


def loaded(name: str) -> Any:
    """A part of the script. It is no package, and on the path its neighbours would hide others."""
    spec = spec_from_file_location(name, PROJECT_DIR / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


sizing = loaded("capacity_sizing")
tables = loaded("capacity_tables")
files = loaded("capacity_files")

# A user a day sends 100 events: 864,000 events a day are ten a second, of 8,640 users.
EVENTS = 864_000.0
GIVEN = sizing.Assumptions(
    batch_cpu=13,
    users_a_month=2,
    stored_days=10,
    peak=3,
    utilisation=0.5,
    batch_seconds=10,
    night_hours=1,
)


def costs(stage: str, grows_with: str, *of: tuple[float, float]) -> list[Any]:
    """The costs of a stage: size and seconds of each."""
    return [sizing.Cost(stage, "events", grows_with, size, each) for size, each in of]


def test_growth_is_the_exponent_between_the_two_largest_sizes() -> None:
    grown = costs("raw to clean", "stored events", (1_000, 9.0), (100, 0.5), (10, 7.0))

    # Ten times the size, 18 times the cost: log10(18).
    assert sizing.growth(grown) == pytest.approx(1.2552725)


@pytest.mark.parametrize(
    "of", [[(100, 0.5)], [(100, 0.5), (100, 0.6)], [(10, 0.0), (100, 0.5)], [(10, 0.5), (100, 0.0)]]
)
def test_nothing_grows_where_two_sizes_do_not_tell(of: list[tuple[float, float]]) -> None:
    assert sizing.growth(costs("dbt", "stored events", *of)) == 0.0


def test_a_straight_line_does_not_multiply_what_comes_before_the_first() -> None:
    # 60 s and then a millisecond for each: 1,000 take 61 s, 2,000 take 62 s.
    night = costs("training", "scores", (1_000, 0.061), (2_000, 0.031))

    assert sizing.line(night, 100_000) == pytest.approx(160.0)


def test_a_line_never_falls_and_one_size_is_taken_in_proportion() -> None:
    falling = costs("training", "scores", (1_000, 0.1), (2_000, 0.04))

    assert sizing.line(falling, 100_000) == pytest.approx(80.0)
    assert sizing.line(falling[:1], 100_000) == pytest.approx(10_000.0)
    assert sizing.line([falling[0]] * 2, 100_000) == pytest.approx(10_000.0)


def test_a_stage_has_to_do_its_busiest_hour_on_cores_that_are_not_overloaded() -> None:
    # Ten events a second, 2 ms each, three times that at its peak, half of a core: 0.12 cores. Ten
    # days are 8.64 M stored events, 8.64 times the largest size, at an exponent of 1: 1.0368.
    grown = costs("dbt", "stored events", (100_000, 0.0002), (1_000_000, 0.002))

    assert sizing.cores(grown, EVENTS, GIVEN) == pytest.approx((0.12, 1.0368))


def test_what_became_cheaper_or_is_looked_up_by_key_is_not_continued() -> None:
    cheaper = costs("dbt", "stored events", (100_000, 0.02), (1_000_000, 0.002))
    by_key = costs("evaluating a flag", "users", (10, 0.0002), (100, 0.002))

    assert sizing.cores(cheaper, EVENTS, GIVEN) == pytest.approx((0.12, 0.12))
    # A flag for every twentieth event.
    assert sizing.cores(by_key, EVENTS, GIVEN) == pytest.approx((0.006, 0.006))


def test_a_micro_batch_looks_at_all_that_is_stored_and_knows_no_peak() -> None:
    # 3 s every 10 s on half of a core: 0.6. With 7.64 M more, 40 ms each: 3.3056 s, 0.66112.
    batch = costs(sizing.MICRO_BATCH, "stored events", (100_000, 9.0), (1_000_000, 3.0))

    assert sizing.cores(batch, EVENTS, GIVEN) == pytest.approx((0.6, 0.66112))


def test_a_night_has_its_hours_and_no_peak() -> None:
    # 17,280 users a month of 140 scores: 2,419,200, at a millisecond and 60 s before: 2,479.2 s.
    night = costs("training", "scores", (1_000, 0.061), (2_000, 0.031))
    needed = 2_479.2 / 3_600 / 0.5

    assert sizing.cores(night, EVENTS, GIVEN) == pytest.approx((needed, needed))


def test_what_is_not_part_of_a_day_needs_no_cores() -> None:
    whole = costs("feedback score, all anew", "stored events", (1_000, 1.0))

    assert sizing.cores(whole, EVENTS, GIVEN) is None


def test_a_run_around_a_batch_costs_the_same_whatever_comes() -> None:
    assert sizing.dagster_cores(sizing.Assumptions(batch_cpu=13)) == pytest.approx(13 / 10 / 0.6)


def test_the_sum_leaves_out_the_dearer_way_to_collect() -> None:
    found = [
        *costs("collecting, one event a request", "connections", (64, 0.1)),
        *costs("collecting, 100 events a request", "connections", (64, 0.001)),
    ]
    *_, together = tables.table_of_cores(tables.by_stage(found), [EVENTS], GIVEN)

    # 10 * 0.001 * 3 / 0.5, and 13 / 10 / 0.5 for runs.
    assert together.endswith("| 2.7 |")


def test_disks_hold_a_day_and_all_that_is_kept() -> None:
    found = tables.by_stage(costs("raw objects", "stored events", (1_000, 50.0)))
    lines = tables.table_of_disks(found, [EVENTS], GIVEN)

    assert "| raw objects, a day; 10 days | 43.2 MB; 432 MB |" in lines
    assert "| scores | 2.42 M |" in lines


@pytest.mark.parametrize(
    ("value", "text"), [(999, "999"), (999.9, "1 k"), (999_999, "1 M"), (1.5e9, "1.5 B"), (0, "0")]
)
def test_numbers_have_three_digits_and_a_letter(value: float, text: str) -> None:
    assert tables.short(value) == text


@pytest.mark.parametrize(
    "change",
    ["nonsense=1", "peak", "peak=x", "peak=-1", "peak=nan", "batch_seconds=0", "stored_days=inf"],
)
def test_an_assumption_that_makes_no_sense_is_refused_in_a_sentence(change: str) -> None:
    with pytest.raises(SystemExit, match=f"--assume {change}: "):
        files.assumed([change])


def test_assumptions_can_be_told_one_by_one() -> None:
    assert files.assumed(["peak=2", "pages_a_day=0"]) == sizing.Assumptions(peak=2, pages_a_day=0)


def test_costs_come_back_as_they_were_saved_in_parts(tmp_path: Path) -> None:
    parts = [costs("dbt", "stored events", (10, 0.5)), costs("training", "scores", (10, 0.5))]
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, part in zip(paths, parts, strict=True):
        files.save(path, "A machine\n\n", part)

    assert files.kept(paths) == ("A machine", parts[0] + parts[1])
    assert sorted(tmp_path.iterdir()) == paths


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": "", "costs": [{"stage": "dbt"}]}'])
def test_a_file_without_costs_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text, "utf-8")

    with pytest.raises(SystemExit, match=r"costs\.json is no file of costs"):
        files.kept([path])
    with pytest.raises(SystemExit, match="No such file"):
        files.kept([tmp_path / "missing.json"])


def test_tables_take_the_place_between_the_marks_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{files.BEGIN}\nold\n{files.END}\nbehind\n", "utf-8")
    files.put(page, "new")

    assert page.read_text("utf-8") == f"before\n{files.BEGIN}\n\nnew\n\n{files.END}\nbehind\n"
    assert list(tmp_path.iterdir()) == [page]


def test_a_page_without_marks_stays_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks", "utf-8")

    with pytest.raises(SystemExit, match="no place for the tables"):
        files.put(page, "new")
    assert page.read_text("utf-8") == "no marks"
