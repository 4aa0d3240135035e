"""Every figure has a script that is there, and every script stands in the table of benchmarks."""

from __future__ import annotations

import re
from pathlib import Path

from feedback_platform.settings import PROJECT_DIR

BENCHMARKS = PROJECT_DIR / "benchmarks"
TABLE = (BENCHMARKS / "README.md").read_text("utf-8")
PAGES = [PROJECT_DIR / "README.md", *sorted((PROJECT_DIR / "docs").glob("*.md"))]
FILES = {path.name for path in BENCHMARKS.glob("*.py")}
MAKEFILE = (PROJECT_DIR / "Makefile").read_text("utf-8")


def listed(variable: str) -> set[str]:
    """The files of a variable in the Makefile."""
    (files,) = re.findall(rf"^{variable} := .*,(.*)\)$", MAKEFILE, flags=re.MULTILINE)
    return set(files.split())


# What other scripts import or start.
PARTS = listed("BENCHMARK_PARTS")


def named_in(page: Path) -> set[str]:
    """The scripts that a page names."""
    return set(re.findall(r"benchmarks/(\w+\.py)", page.read_text("utf-8")))


def rows() -> dict[str, str]:
    """The rows of the table, by script."""
    return dict(re.findall(r"^\| `(\w+\.py)` \|(.*)$", TABLE, flags=re.MULTILINE))


def test_the_table_has_every_script_and_no_other() -> None:
    assert set(rows()) == FILES - PARTS


def test_the_table_says_which_files_are_no_scripts() -> None:
    assert PARTS <= FILES
    assert {part for part in PARTS if f"`{part}`" not in TABLE} == set()


def test_every_script_that_a_page_names_is_there() -> None:
    named = {(page.name, script) for page in PAGES for script in named_in(page)}

    assert {each for each in named if each[1] not in FILES} == set()


def test_the_table_knows_which_pages_quote_a_script() -> None:
    quoted = {(script, page.name) for page in PAGES for script in named_in(page)}
    told = {
        (script, page)
        for script, row in rows().items()
        for page in re.findall(r"docs/([\w-]+\.md)", row)
    }

    assert told == quoted


def test_commands_in_pages_have_options_that_scripts_know() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    commands = re.findall(r"benchmarks/(\w+\.py)((?: +[\w-]+)*)", text)
    options = {
        (script, option) for script, told in commands for option in told.split() if "--" in option
    }
    unknown = {
        (script, option)
        for script, option in options
        if f'"{option}"' not in (BENCHMARKS / script).read_text("utf-8")
    }

    assert len(options) > 5
    assert unknown == set()


def test_every_script_says_what_machine_it_ran_on() -> None:
    silent = {
        script
        for script in FILES - PARTS
        if "    say_what_machine()\n" not in (BENCHMARKS / script).read_text("utf-8")
    }

    assert silent == set()


def test_make_bench_runs_every_script() -> None:
    apart = listed("WITH_MOVIELENS")

    assert apart <= FILES
    assert {script for script in apart if f"python benchmarks/{script}" not in MAKEFILE} == set()
