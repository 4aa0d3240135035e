from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from feedback_platform.cli.main import cli
from feedback_platform_tests.cli.conftest import Run


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words after which a command's options follow, for every command."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


COMMANDS = list(commands(cli))


def test_the_commands_are_these() -> None:
    assert {" ".join(path) for path in COMMANDS} >= {
        "demo",
        "dev",
        "doctor",
        "import events",
        "import movielens",
        "import open-bandit",
        "models list",
        "models promote",
        "models rollback",
        "process",
        "simulate",
        "train",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_says_what_it_does_and_shows_an_example(
    run: Run, path: tuple[str, ...]
) -> None:
    finished = run(*path, "--help")

    assert finished.code == 0
    assert f"Example: feedback-platform {' '.join(path)}" in " ".join(finished.output.split())
    assert "--data-dir" in finished.output
    assert finished.errors == ""


@pytest.mark.parametrize("path", [(), ("import",)])
def test_a_group_lists_its_commands(run: Run, path: tuple[str, ...]) -> None:
    finished = run(*path, "--help")

    assert finished.code == 0
    below = [found[len(path)] for found in COMMANDS if found[: len(path)] == path]
    assert [name for name in below if name not in finished.output] == []
