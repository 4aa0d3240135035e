"""An experiment from its start to what everybody gets by it, with commands and real tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.adjustment.flags.definitions_file import shipped_definitions
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.experiments.assignment import Participant
from feedback_platform.experiments.result_tables import experiment_tables
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.lake.raw import write_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration import jobs
from feedback_platform_tests.adjustment.flags.definitions import ADA
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed, the_error
from feedback_platform_tests.installation import Installation

DEFINITIONS = """
[experiments.cards]
hypothesis = "Cards sell more."
varies = { flag = "layout-home" }
variants = { grid = "grid", cards = "compact" }
control = "grid"
split = { grid = 50, cards = 50 }
primary = [{ metric = "converting_users", minimum_effect = 0.1 }]
secondary = ["clicks_per_user"]
horizon = "7 days"
tuned_for = 400
minimum_users = 20

[experiments.exploring]
hypothesis = "To explore more costs nothing."
varies = { threshold = "exploration_share" }
variants = { now = 0.05, more = 0.1 }
control = "now"
split = { now = 50, more = 50 }
primary = [{ metric = "clicks_per_user", minimum_effect = 1 }]
horizon = "7 days"
"""
START = datetime(2026, 3, 1, tzinfo=UTC)
AT = ("--at", "2026-03-01")
BY = ("--by", "person:ada")


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    path = tmp_path / "experiments.toml"
    path.write_text(DEFINITIONS)
    return str(path)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with the flags that ship."""
    lake = Lake((tmp_path / "data" / "lake").as_uri())
    Flags(lake).apply(shipped_definitions(), ADA)
    return lake


def land(lake: Lake, users: int) -> None:
    """Users come, meet what they are assigned, and buy: of those with cards two in three."""
    running = ExperimentLog(lake).refresh()
    lines = []
    for number in range(users):
        user_id = f"user-{number}"
        (assignment,) = running.assignments(Participant(user_id, {}))
        variant = assignment.variant
        at = START + timedelta(minutes=2 * number)
        met = {"event_type": "experiment_exposed", "experiment_id": "cards", "variant": variant}
        lines.append(event(f"{number}-met", user_id, at, **met))
        if number % 3 and (variant == "cards" or number % 9 == 1):
            bought = at + timedelta(minutes=1)
            facts = {"event_type": "item_converted", "item_id": "i", "value": 9.0}
            lines.append(event(f"{number}-bought", user_id, bought, **facts))
    write_raw_object(
        lake,
        received_at=START + timedelta(days=2),
        source="web",
        sortable_id="1",
        ndjson=b"\n".join(json.dumps(line).encode() for line in lines) + b"\n",
    )


def event(event_id: str, user_id: str, at: datetime, **facts: Any) -> dict[str, Any]:
    return {"event_id": event_id, "user_id": user_id, "occurred_at": at.isoformat(), **facts}


def test_what_cannot_be_started_is_told_in_a_line(run: Run, definitions: str) -> None:
    start = ("experiments", "start", definitions)

    assert "no flag 'layout-home'. There are: none yet" in the_error(run(*start, "cards", *BY))
    assert "The file has no experiment 'rows'; it has cards" in the_error(run(*start, "rows", *BY))
    mistaken = run(*start, "exploring", *BY, "--at", "noon")
    assert "accepts a day or a time in UTC" in the_error(mistaken)
    assert "person:ada" in the_error(run(*start, "exploring", "--by", "ada"))
    assert run("experiments", "status").output.startswith("No experiment was started yet")
    assert parsed(run("experiments", "status", "--json")) == []
    for command in (("report", "cards"), ("stop", "cards", "--reason", "x"), ("status", "cards")):
        assert "No experiment 'cards' was started" in the_error(run("experiments", *command))


def test_a_number_is_varied_shipped_and_known_to_who_serves(
    run: Run, definitions: str, lake: Lake
) -> None:
    run("experiments", "start", definitions, "exploring", *BY)
    report = run("experiments", "report", "exploring")
    assert "wait: nothing was found yet" in report.output
    stop = ("experiments", "stop", "exploring", "--reason", "enough", *BY)

    assert "nothing was found yet. --override" in the_error(run(*stop, "--ship", "more"))
    stopped = parsed(run(*stop, "--ship", "more", "--override", "it is cheap", "--json"))

    assert (stopped["decision"], stopped["shipped"]) == ("stopped", "more")
    assert list(ExperimentLog(lake).refresh().shipped.values()) == [0.1]


def test_an_experiment_from_its_start_to_what_everybody_gets(
    run: Run, definitions: str, lake: Lake, tmp_path: Path
) -> None:
    started = parsed(run("experiments", "start", definitions, "cards", *BY, *AT, "--json"))
    assert (started["varies"], started["ends_at"]) == (
        "flag layout-home",
        "2026-03-08T00:00:00+00:00",
    )
    again = the_error(run("experiments", "start", definitions, "cards", *BY))
    assert "runs since 2026-03-01 00:00" in again
    land(lake, 600)
    installation = Installation(tmp_path / "data")

    seen = installation.process()["metrics/experiments"]

    assert (seen["looked at"].value, seen["ended"].value, seen["running"].value) == (1, 1, 0)
    status = run("experiments", "status").output
    assert "ship: cards: better: converting_users" in status
    (row,) = parsed(run("experiments", "status", "cards", "--json"))
    assert (row["status"], row["winner"], row["shipped"]) == ("stopped", "cards", None)
    assert row["users"] == 600
    # What readers see is what the lake keeps, so a warehouse that is built anew has it, too.
    for (schema, name), rows in experiment_tables(lake).items():
        published = installation.query(f"from {schema}.{name}").select(rows.columns)
        assert published.to_dicts() == rows.to_dicts()
        assert rows.height

    page = tmp_path / "report.html"
    text = run("experiments", "report", "cards", "--html", str(page)).output
    assert f"The page is {page}." in text
    assert "decision: ship: cards: better: converting_users" in text
    report = parsed(run("experiments", "report", "cards", "--json"))
    arms = {arm["name"]: (arm["assigned"], arm["exposed"]) for arm in report["arms"]}
    # Everybody met what they were assigned.
    assert all(assigned == exposed for assigned, exposed in arms.values())
    nowhere = run("experiments", "report", "cards", "--html", "/nowhere/report.html")
    assert "cannot be written" in the_error(nowhere)

    shipped = parsed(
        run(
            "experiments", "stop", "cards", "--ship", "cards", "--reason", "it sells", *BY, "--json"
        )
    )

    assert (shipped["decision"], shipped["shipped"]) == ("ship", "cards")
    flag = Flags(lake).refresh().flags["layout-home"].flag
    assert flag.default == "compact"
    history = Flags(lake).history("layout-home")
    assert (history[-1].author.by, history[-1].author.reason) == ("experiment:cards", "it sells")


def test_what_the_launchpad_cannot_do_fails_its_run(lake: Lake, tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    unknown = {"ops": {"experiments": {"config": {"stop": "cards", "reason": "x"}}}}
    with pytest.raises(FeedbackPlatformError, match="No experiment 'cards' was started"):
        installation.run(jobs.EXPERIMENT, unknown)
    with pytest.raises(FeedbackPlatformError, match="FEEDBACK_EXPERIMENTS names a TOML file"):
        installation.run(
            jobs.EXPERIMENT, {"ops": {"experiments": {"config": {"start": "cards", "reason": "x"}}}}
        )
    assert not ExperimentLog(lake).refresh().started
