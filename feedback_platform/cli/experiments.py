"""experiments: planning, starting, watching, ending and reporting them."""

from __future__ import annotations

import click

from feedback_platform.cli.experiment_changes import start, stop
from feedback_platform.cli.experiment_plans import plan
from feedback_platform.cli.experiment_reports import report, status


@click.group(name="experiments")
def experiments() -> None:
    """Plan experiments, start them, see what they find, and end them."""


for _command in (plan, start, status, stop, report):
    experiments.add_command(_command)
