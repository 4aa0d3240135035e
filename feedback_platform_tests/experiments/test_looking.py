"""Experiments from start to end, over tables that users fill day by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.rules.changes import CannotChangeError
from feedback_platform.errors import LakeUnavailableError
from feedback_platform.experiments.definition import (
    Design,
    Experiment,
    Goal,
    HoldOut,
    Lever,
    OnShip,
)
from feedback_platform.experiments.entries import STOPPED, Started, Stopped
from feedback_platform.experiments.exposure import Exposure
from feedback_platform.experiments.looking import Looker
from feedback_platform.experiments.looks import Look, read_looks
from feedback_platform.experiments.reading import is_due
from feedback_platform.experiments.result_tables import (
    experiments_table,
    looks_table,
    results_table,
)
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.experiments.shipping import Shipper, objection
from feedback_platform.warehouse.experiment_tables import ExperimentTables
from feedback_platform_tests.adjustment.flags.memory_store import MemoryStore
from feedback_platform_tests.adjustment.rules.tables import START, Tables
from feedback_platform_tests.experiments.arms import experiment
from feedback_platform_tests.experiments.switch import Switch

KEY = "cards-at-home"
DAY = timedelta(days=1)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
ADA = Author("person:ada", "it was planned so", NOW)
NOBODY = HoldOut()
WEEK = Design(7 * DAY, minimum_users=20, tuned_for=400)


class Course:
    """An experiment that a day after the other passes over."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._users = 0
        Tables(connection)
        self.tables = ExperimentTables(connection)
        self.store = MemoryStore()
        self.switch = Switch()

    def start(self, **changes: Any) -> Experiment:
        given = {"design": WEEK, "primary": (Goal("converting_users", 0.1),), **changes}
        definition = experiment(**given)
        self.append(Started(definition, NOBODY, ADA, START))
        return definition

    def append(self, entry: Any) -> None:
        ExperimentLog(self.store).append(lambda _: entry)

    def arrive(self, day: float, **arms: tuple[int, int]) -> None:
        """Users meet each arm on a day, of whom so many convert a minute later."""
        rows = []
        for variant, (users, converted) in arms.items():
            for number in range(users):
                self._users += 1
                at = START + day * DAY
                event = {"user_id": f"u{self._users}", "experiment_id": KEY, "variant": variant}
                rows.append({**event, "event_type": "experiment_exposed", "occurred_at": at})
                if number < converted:
                    later = at + timedelta(minutes=1)
                    rows.append({**event, "event_type": "item_converted", "occurred_at": later})
        events = pl.DataFrame(rows).with_columns(
            pl.col("occurred_at").dt.replace_time_zone(None),
            is_bot=pl.lit(value=False),
            is_burst=pl.lit(value=False),
        )
        self._connection.register("rows", events.to_arrow())
        self._connection.execute("insert into interaction.interactions by name from rows")
        self._connection.unregister("rows")

    def look(self, day: float, batch: int = 1) -> tuple[list[str], list[str]]:
        """Look on a day, and return what was looked at and what was done."""
        looker = self.looker()
        looked = looker.look(self.tables, START + day * DAY, batch)
        done = looker.conclude()
        self.problems = looker.problems
        return looked, done

    def looker(self) -> Looker:
        shipper = Shipper(self.switch, self.switch, lambda: NOW)
        return Looker(self.store, shipper, lambda: NOW)

    @property
    def last(self) -> Look:
        return read_looks(self.store, KEY)[-1]


@pytest.fixture
def course() -> Iterator[Course]:
    with duckdb.connect() as connection:
        yield Course(connection)


def test_where_nothing_was_started_nothing_is_read(course: Course) -> None:
    assert course.looker().waiting == []
    assert course.look(1) == ([], [])


def test_an_experiment_goes_on_while_nothing_is_sure(course: Course) -> None:
    course.start()
    course.arrive(0, grid=(60, 20), cards=(60, 22))

    assert course.look(1) == ([KEY], [])

    assert (course.last.verdict, course.last.winner) == ("wait", "")
    assert course.last.exposure == Exposure({"grid": 60, "cards": 60})
    assert not course.last.is_final
    assert course.looker().experiments.running


def test_it_ends_as_soon_as_a_variant_is_surely_better_and_then_waits_for_a_person(
    course: Course,
) -> None:
    course.start()
    course.arrive(0, grid=(200, 20), cards=(200, 120))

    assert course.look(1) == ([KEY], [f"{KEY} ended: ship, nothing shipped"])

    stopped = course.looker().experiments.stopped[KEY]
    assert (stopped.decision, stopped.shipped, stopped.at) == ("ship", "", START + DAY)
    assert stopped.author.by == f"experiment:{KEY}"
    assert stopped.author.reason == "cards: better: converting_users"
    assert course.switch.variant == "grid"
    # What comes later changes nothing.
    course.arrive(2, grid=(500, 500))
    assert course.look(3) == ([], [])
    assert course.last.exposure == Exposure({"grid": 200, "cards": 200})


def test_it_ships_by_itself_where_the_definition_says_so(course: Course) -> None:
    course.start(on_ship=OnShip.APPLY)
    course.arrive(0, grid=(200, 20), cards=(200, 120))

    assert course.look(1)[1] == [f"{KEY} ended: ship, cards shipped"]

    assert course.switch.variant == "compact"
    assert course.looker().experiments.shipped == {(Lever.FLAG, "layout-home"): "compact"}


def test_a_loser_never_ships_by_itself(course: Course) -> None:
    course.start(on_ship=OnShip.APPLY)
    course.arrive(0, grid=(200, 120), cards=(200, 20))

    assert course.look(1)[1] == [f"{KEY} ended: stop: harms, nothing shipped"]

    assert course.switch.variant == "grid"
    assert objection(course.last, "cards", "grid").startswith("stop: harms")
    assert objection(course.last, "grid", "grid") == ""


def test_what_cannot_be_shipped_leaves_it_over_and_is_told(course: Course) -> None:
    course.start(on_ship=OnShip.APPLY)
    course.switch.error = CannotChangeError("the flag is gone")
    course.arrive(0, grid=(200, 20), cards=(200, 120))

    assert course.look(1)[1] == [f"{KEY} ended: ship, nothing shipped"]
    assert course.problems == [f"{KEY} ships nothing: the flag is gone"]

    # Once the flag is back, so is what was decided.
    course.switch.error = None
    assert course.look(1.1) == ([], [f"{KEY}: cards shipped"])
    assert course.switch.variant == "compact"
    assert course.look(1.2) == ([], [])


def test_where_shipping_fails_for_a_while_the_experiment_goes_on_until_it_works(
    course: Course,
) -> None:
    course.start(on_ship=OnShip.APPLY)
    course.switch.error = LakeUnavailableError("away")
    course.arrive(0, grid=(200, 20), cards=(200, 120))

    assert course.look(1)[1] == []
    assert course.looker().experiments.running

    course.switch.error = None
    assert course.look(1.1)[1] == [f"{KEY} ended: ship, cards shipped"]


def test_a_model_is_promoted(course: Course) -> None:
    models = {"grid": "v1", "cards": "v2"}
    varied: dict[str, Any] = {"lever": Lever.MODEL, "subject": "recommender", "variants": models}
    course.start(on_ship=OnShip.APPLY, **varied)
    course.arrive(0, grid=(200, 20), cards=(200, 120))

    course.look(1)

    assert course.switch.champion == "v2"


def test_at_its_horizon_it_ends_once_the_last_visits_have_settled(course: Course) -> None:
    course.start()
    course.arrive(0, grid=(60, 20), cards=(60, 22))
    course.arrive(7.01, grid=(50, 0))

    assert course.look(7.01) == ([KEY], [])
    assert course.last.verdict == "wait"
    assert course.look(7.03) == ([KEY], [f"{KEY} ended: keep control, nothing shipped"])

    stopped = course.looker().experiments.stopped[KEY]
    # Whoever came after the horizon is not in it.
    assert (stopped.at, course.last.exposure.users["grid"]) == (START + 7 * DAY, 60)


def test_read_once_nothing_ships_before_the_horizon(course: Course) -> None:
    course.start(design=replace(WEEK, is_sequential=False))
    course.arrive(0, grid=(200, 20), cards=(200, 120))

    assert course.look(1)[1] == []
    assert course.last.reason == "read at its horizon"
    assert course.look(7.1)[1] == [f"{KEY} ended: ship, nothing shipped"]


def test_arms_of_the_wrong_size_are_told_and_end_nothing_before_the_horizon(
    course: Course,
) -> None:
    course.start(on_ship=OnShip.APPLY)
    course.arrive(0, grid=(100, 10), cards=(200, 120))

    assert course.look(1)[1] == []
    assert course.last.verdict == "invalid: sample ratio"
    assert course.look(8)[1] == [f"{KEY} ended: invalid: sample ratio, nothing shipped"]
    assert course.switch.variant == "grid"


def test_what_a_person_stopped_is_read_once_more_and_then_no_more(course: Course) -> None:
    course.start()
    course.arrive(0, grid=(60, 20), cards=(60, 22))
    course.look(1)
    course.append(Stopped(KEY, STOPPED, ADA, START + 2 * DAY))
    course.arrive(2.5, grid=(50, 0))

    assert course.look(3) == ([KEY], [])

    assert course.last.is_final
    assert course.last.exposure.users == {"grid": 60, "cards": 60}
    assert course.last.verdict == "keep control"
    assert course.last.reason.startswith("ended before it was decided")
    assert course.look(4) == ([], [])


def test_the_sequence_has_one_look_a_day(course: Course) -> None:
    course.start()
    course.arrive(0, grid=(60, 20), cards=(60, 22))
    for day in (0.2, 0.9, 1.1, 2.4, 2.8):
        course.look(day)

    looks = read_looks(course.store, KEY)

    assert [look.read_at for look in looks] == [START + day * DAY for day in (0.9, 1.1, 2.8)]


def look_after(hours: float, **changes: Any) -> Look:
    given: dict[str, Any] = {
        "batch": 1,
        "read_at": START + timedelta(hours=hours),
        "is_final": False,
        "exposure": Exposure({}),
        "verdict": "wait",
        "winner": "",
        "reason": "",
        "results": (),
    }
    return Look(**{**given, **changes})


@pytest.mark.parametrize(
    ("last", "hours", "expected"),
    [
        (None, -1, False),
        (None, 0, True),
        (look_after(1), 1, False),
        (look_after(1), 1.005, False),
        (look_after(1), 1.01, True),
        # After twenty days an hour is enough, and not a fifth of a day.
        (look_after(480), 480.9, False),
        (look_after(480), 481, True),
        (look_after(480, is_final=True), 481, False),
    ],
)
def test_the_pause_between_two_looks_follows_how_long_it_has_run(
    last: Look | None, hours: float, *, expected: bool
) -> None:
    started = Started(experiment(), NOBODY, ADA, START)
    assert is_due(started, None, last, START + timedelta(hours=hours)) is expected


def test_the_tables_have_what_was_started_and_what_was_found(course: Course) -> None:
    course.start(secondary=("clicks_per_user",))
    looker = course.looker()
    (row,) = experiments_table(looker.experiments, looker.looks).to_dicts()
    assert (row["status"], row["decision"], row["users"]) == ("running", "wait", None)
    assert results_table(looker.looks).is_empty()
    course.arrive(0, grid=(60, 20), cards=(60, 22))
    course.look(1)
    course.look(2)
    course.append(Stopped(KEY, STOPPED, ADA, START + 2 * DAY))

    looker = course.looker()

    (row,) = experiments_table(looker.experiments, looker.looks).to_dicts()
    assert (row["status"], row["decision"], row["reason"]) == (
        "stopped",
        "stopped",
        "it was planned so",
    )
    assert (row["started_at"], row["ends_at"], row["stopped_at"]) == (
        START,
        START + 7 * DAY,
        START + 2 * DAY,
    )
    assert (row["users"], row["mixed_users"], row["sample_ratio_p_value"]) == (120, 0, 1.0)
    found = results_table(looker.looks).sort("metric")
    assert found.select("metric", "variant", "kind", "n").rows() == [
        ("clicks_per_user", "cards", "secondary", 60),
        ("converting_users", "cards", "primary", 60),
    ]
    assert found["effect"].to_list() == pytest.approx([0, 2 / 60])
    assert looks_table(looker.looks).height == 4
