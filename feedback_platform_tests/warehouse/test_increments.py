from __future__ import annotations

import _thread
import json
from pathlib import Path
from random import Random
from threading import Timer

import pytest

from feedback_platform.warehouse.increments import Recording
from feedback_platform.warehouse.transformation import DbtProject, NodeResult
from feedback_platform_tests.warehouse.random_events import random_hour, random_object
from feedback_platform_tests.warehouse.small_platform import SmallPlatform


class Counted(DbtProject):
    """A project that notes how often dbt has to run."""

    runs = 0

    def run(self, *given: object, **named: object) -> list[NodeResult]:
        self.runs += 1
        return super().run(*given, **named)  # type: ignore[arg-type]


@pytest.fixture
def counted(project: DbtProject, tmp_path: Path, request: pytest.FixtureRequest) -> SmallPlatform:
    """A platform whose first increment is yet to come, and that has had its first batch."""
    own = Counted(project.project_dir, tmp_path / "target", tmp_path / "warehouse.duckdb")
    platform = SmallPlatform.at(tmp_path / "platform", own)
    arrive(platform, 0)
    # From here on: how the tables were created is of no interest here.
    request.getfixturevalue("rendered_by_dbt")
    return platform


def arrive(platform: SmallPlatform, number: int) -> None:
    """Bring a batch of random events through to the published tables."""
    random = Random(number)
    hour = random_hour(random)
    lines = [line for _ in range(3) for line in random_object(random, hour)]
    platform.land(*lines, received_at=hour, object_id=str(number))
    platform.process()


def dbt_runs(platform: SmallPlatform) -> int:
    assert isinstance(platform.project, Counted)
    return platform.project.runs


def kept(platform: SmallPlatform) -> Path:
    (found,) = platform.project.target_dir.glob("increment-*.json")
    return found


def models(platform: SmallPlatform) -> dict[str, list[str]]:
    """What is kept, in no order: two models that do not need each other end in any."""
    return {
        each["unique_id"]: each["statements"] for each in json.loads(kept(platform).read_text())
    }


def ended(name: str, kind: str = "model") -> NodeResult:
    return NodeResult(f"{kind}.p.{name}", name, kind, "success", 0.1, 0, "OK")


def test_dbt_runs_the_first_increment_and_later_ones_send_the_same(counted: SmallPlatform) -> None:
    for number in range(1, 4):
        arrive(counted, number)

    # The tables were made by one run, and the first increment is another.
    assert dbt_runs(counted) == 2
    assert counted.tables() == counted.rebuilt().stored()


def test_where_a_statement_fails_dbt_runs_the_increment(counted: SmallPlatform) -> None:
    arrive(counted, 1)
    broken = json.loads(kept(counted).read_text())
    # Those before it have been sent by then, and are run again.
    broken[len(broken) // 2]["statements"].append("select * from what_is_not_there")
    kept(counted).write_text(json.dumps(broken))

    arrive(counted, 2)

    assert dbt_runs(counted) == 3
    assert counted.tables() == counted.rebuilt().stored()


def test_an_interrupt_ends_what_is_being_sent_and_the_next_run_makes_up_for_it(
    counted: SmallPlatform,
) -> None:
    arrive(counted, 1)
    whole = kept(counted).read_text()
    endless = json.loads(whole)
    statement = "create temp table endless as select sum(i) from range(100_000_000_000) as r(i)"
    endless[len(endless) // 2]["statements"].append(statement)
    kept(counted).write_text(json.dumps(endless))
    alarm = Timer(1.0, _thread.interrupt_main)
    alarm.start()

    with pytest.raises(KeyboardInterrupt):
        arrive(counted, 2)

    kept(counted).write_text(whole)
    counted.process()
    assert counted.tables() == counted.rebuilt().stored()


@pytest.mark.parametrize("content", ["[{]", '[{"name": "users"}]'])
def test_a_file_that_cannot_be_used_is_written_anew(counted: SmallPlatform, content: str) -> None:
    arrive(counted, 1)
    before = models(counted)
    kept(counted).write_text(content)

    arrive(counted, 2)

    assert models(counted) == before
    assert dbt_runs(counted) == 3


def test_what_other_definitions_sent_is_not_sent(
    counted: SmallPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(counted, 1)
    before = kept(counted)
    monkeypatch.setattr(Counted, "fingerprint", lambda _: "another")

    arrive(counted, 2)

    assert dbt_runs(counted) == 3
    assert not before.exists()
    assert kept(counted) != before


def test_seeds_have_nothing_to_send(counted: SmallPlatform) -> None:
    arrive(counted, 1)

    seeds = [sent for unique_id, sent in models(counted).items() if unique_id.startswith("seed.")]

    assert seeds == [[], [], []]


def test_what_is_kept_is_in_the_order_in_which_models_ended() -> None:
    recording = Recording()
    for name in ("b", "a"):
        for statement in ("/* of dbt */ select 1", "BEGIN", f"insert {name}", "COMMIT"):
            recording.note_statement(f"model.p.{name}", statement)
        recording.note_result(ended(name))
    recording.note_result(ended("weights", "seed"))

    found = recording.increment()

    assert found is not None
    assert [(each.name, each.statements) for each in found] == [
        ("b", ["insert b"]),
        ("a", ["insert a"]),
        ("weights", []),
    ]


@pytest.mark.parametrize(
    "statements",
    [
        ["insert a"],
        ["BEGIN", "insert a"],
        ["COMMIT", "BEGIN"],
        ["BEGIN", "COMMIT", "BEGIN", "COMMIT"],
        ["/* of dbt */ create table a", "BEGIN", "insert a", "COMMIT"],
        ["BEGIN", "insert a", "COMMIT", "drop table a"],
    ],
)
def test_nothing_is_kept_of_what_is_not_one_transaction(statements: list[str]) -> None:
    recording = Recording()
    for statement in statements:
        recording.note_statement("model.p.a", statement)
    recording.note_result(ended("a"))

    assert recording.increment() is None
