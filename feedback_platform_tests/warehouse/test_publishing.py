from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from feedback_platform.errors import NothingPublishedError
from feedback_platform.warehouse import parts, published, training_tables
from feedback_platform.warehouse.publishing import TABLE_MACROS, TABLES
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

FILES = 'select partition, name from published.files where "table" = ? order by partition'

# Two events of each batch: whatever a reader sees has to fit together.
POLL = """
import duckdb, json, sys, time
from pathlib import Path
path, stop = sys.argv[1], Path(sys.argv[2])
seen, polls = [], 0
print("polling", flush=True)
while not stop.exists():
    with duckdb.connect(path, read_only=True) as connection:
        state = connection.execute('''
            select
                (select through from published.state),
                (select count(*) from interaction.interactions),
                (select count(*) from feedback.user_feedback),
                (select sum(events)::bigint from features.user_features)
        ''').fetchone()
    polls += 1
    if state not in seen:
        seen.append(state)
    time.sleep(0.02)
print(json.dumps({"seen": seen, "polls": polls}))
"""


def _likes(platform: SmallPlatform, number: int, month: int = 3) -> None:
    """Two likes, in one month, received in March."""
    platform.land(
        *[
            event(
                f"e{number}-{n}",
                "item_liked",
                user_id=f"u{n}",
                item_id=f"i{number}",
                occurred_at=f"2026-{month:02d}-01T12:00:00Z",
            )
            for n in range(2)
        ],
        received_at=datetime(2026, 3, 1, 13, tzinfo=UTC),
        object_id=f"{number}",
    )


def _age(directory: Path) -> None:
    """Make every file two hours old, longer than a stale one is kept."""
    for path in directory.rglob("*.parquet"):
        os.utime(path, (time.time() - 7200,) * 2)


@pytest.fixture(scope="module")
def about_to_publish(
    tmp_path_factory: pytest.TempPathFactory, project: DbtProject
) -> SmallPlatform:
    platform = SmallPlatform.at(tmp_path_factory.mktemp("liked") / "platform", project)
    _likes(platform, 1)
    platform.clean()
    platform.transform()
    return platform


@pytest.fixture
def liked(about_to_publish: SmallPlatform, tmp_path: Path) -> SmallPlatform:
    """A platform of one's own whose first two likes are published."""
    platform = about_to_publish.copy_to(tmp_path / "liked")
    platform.publish()
    return platform


def test_every_name_of_the_contract_resolves_for_a_plain_reader(platform: SmallPlatform) -> None:
    _likes(platform, 1)
    publication = platform.process()

    with duckdb.connect(platform.published, read_only=True) as connection:
        for table in TABLES:
            rows = connection.execute(f"select count(*) from {table.qualified}").fetchall()
            assert rows == [(publication.rows[table.qualified],)], table
        for name in ("feedback.user_feedback", "interaction.interactions", "ml.recommendations"):
            connection.execute(f"from {name}")
        for schema, name in TABLE_MACROS:
            connection.execute(f"from {schema}.{name}(now()::timestamp)")
    assert publication.rows["feedback.user_feedback"] == 2
    assert publication.through == published.published_through(platform.published) == 1


def test_an_empty_warehouse_can_be_published(platform: SmallPlatform) -> None:
    publication = platform.process()

    assert publication.through == 0
    assert {table: rows for table, rows in publication.rows.items() if rows} == {
        "feedback.signal_weights": 7,
        "feedback.score_rules": 14,
        "interaction.burst_limits": 2,
    }
    assert platform.query("select event_id from interaction.interactions") == []

    _likes(platform, 1)
    assert platform.process().rows["interaction.interactions"] == 2


def test_before_the_first_publication_readers_are_told_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "feedback.duckdb"

    assert published.published_through(path) == 0
    with pytest.raises(NothingPublishedError, match="feedback-platform process"):
        published.query(path, "from interaction.items")


def test_only_the_months_that_changed_are_written_again(platform: SmallPlatform) -> None:
    _likes(platform, 1, month=1)
    _likes(platform, 2, month=2)
    platform.process()
    tables = ("interaction.interactions", "feedback.user_feedback")
    before: dict[str, dict[str, str]] = {
        table: dict(platform.query(FILES, [table])) for table in tables
    }
    _likes(platform, 3, month=2)
    platform.process()

    for table in tables:
        after: dict[str, str] = dict(platform.query(FILES, [table]))
        assert set(after) == {"2026-01", "2026-02"}
        assert after["2026-01"] == before[table]["2026-01"]
        assert after["2026-02"] != before[table]["2026-02"]


def test_of_a_large_month_only_the_days_that_changed_are_written_again(
    platform: SmallPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MONTH_ROWS", 3)
    visits = [
        event(f"e{day}-{n}", "item_viewed", item_id="i1", session_id=f"s{day}", occurred_at=time)
        for day in (1, 2)
        for n, time in enumerate((f"2026-03-0{day}T10:00:00Z", f"2026-03-0{day}T11:00:00Z"))
    ]
    platform.land(*visits, object_id="1")
    platform.process()
    tables = ("interaction.interactions", "feedback.user_feedback")
    before: dict[str, dict[str, str]] = {
        table: dict(platform.query(FILES, [table])) for table in tables
    }
    assert {tuple(found) for found in before.values()} == {("2026-03-01", "2026-03-02")}
    # Its visit began the day before, and now it is one that began an hour earlier still.
    late = event(
        "late",
        "item_viewed",
        item_id="i1",
        session_id="s2",
        occurred_at="2026-03-01T23:30:00Z",
        received_at="2026-03-02T12:00:00Z",
    )
    platform.land(late, object_id="2")
    platform.process()

    for table in tables:
        after: dict[str, str] = dict(platform.query(FILES, [table]))
        assert after["2026-03-02"] == before[table]["2026-03-02"]
        assert after["2026-03-01"] != before[table]["2026-03-01"]
    assert platform.tables() == platform.rebuilt().stored()


def test_a_visit_whose_beginning_moves_to_another_part_leaves_its_old_one(
    platform: SmallPlatform,
) -> None:
    platform.land(*_visit("2026-03-01T00:10:00Z"), object_id="1")
    platform.process()
    platform.land(*_visit("2026-02-28T23:50:00Z"), object_id="2")
    platform.process()

    assert platform.query("select events from interaction.sessions") == [(2,)]
    assert platform.tables() == platform.rebuilt().stored()


def _visit(occurred_at: str) -> list[dict[str, Any]]:
    return [
        event(
            f"at {occurred_at}",
            "item_viewed",
            item_id="i1",
            session_id="s1",
            occurred_at=occurred_at,
        )
    ]


def test_a_reader_keeps_the_state_that_it_opened(liked: SmallPlatform) -> None:
    count = "select count(*) from interaction.interactions"
    _age(liked.published.parent)  # nothing new has come for hours
    with duckdb.connect(liked.published, read_only=True) as reader:
        _likes(liked, 2, month=2)
        liked.process()
        _likes(liked, 3)
        liked.process()

        for table in TABLES:
            reader.execute(f"from {table.qualified}").fetchall()
        assert reader.execute(count).fetchall() == [(2,)]

        # Who asks now is shown the new state, though this process holds the old one open.
        with published.open_published(liked.published) as newcomer:
            assert newcomer.execute(count).fetchall() == [(6,)]
    assert liked.tables() == liked.rebuilt().stored()


def test_files_that_nobody_can_read_any_more_are_deleted(platform: SmallPlatform) -> None:
    states: list[set[str]] = []
    for number in (1, 2, 3):
        _age(platform.published.parent)
        _likes(platform, number)
        platform.process()
        states.append({name for (name,) in platform.query("select name from published.files")})

    directory = platform.published.parent / "tables"
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*.parquet")}
    # The present state and the one before it, which somebody may still hold open.
    assert present == states[1] | states[2]
    assert states[0] - present
    assert not [path for path in directory.rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_a_publication_that_fails_leaves_the_old_state(
    liked: SmallPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = liked.tables()
    _likes(liked, 2)
    liked.clean()
    liked.transform()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space left"):
            liked.publish()

    assert liked.tables() == before
    assert [path.name for path in liked.published.parent.iterdir() if path.is_file()] == [
        "feedback.duckdb"
    ]
    assert liked.publish().rows["interaction.interactions"] == 4


@pytest.mark.parametrize("damage", ["no database", "cut off", "of something else"])
def test_a_published_database_that_is_damaged_is_replaced(
    liked: SmallPlatform, damage: str
) -> None:
    before = liked.tables()
    match damage:
        case "no database":
            liked.published.write_bytes(b"damaged" * 2000)
        case "cut off":
            os.truncate(liked.published, 20_000)
        case _:
            liked.published.unlink()
            duckdb.connect(liked.published).close()

    liked.publish()

    assert liked.tables() == before


def test_a_reader_that_polls_sees_whole_states_and_no_error(
    liked: SmallPlatform, tmp_path: Path
) -> None:
    stop = tmp_path / "stop"
    with subprocess.Popen(
        [sys.executable, "-c", POLL, str(liked.published), str(stop)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "polling\n"
        for number in (2, 3):
            _likes(liked, number)
            liked.process()
            for _ in range(2):
                liked.publish()
                time.sleep(0.02)
        stop.touch()
        output, errors = reader.communicate(timeout=60)

    assert errors == ""
    outcome = json.loads(output)
    # Batch n brings two events, two pieces of feedback, and the features that go with them.
    assert outcome["seen"] == [[n, 2 * n, 2 * n, 2 * n] for n in (1, 2, 3)]
    assert outcome["polls"] > 20


def test_times_are_read_as_utc(liked: SmallPlatform) -> None:

    with training_tables.open_for_training(liked.published) as publication:
        times = training_tables.feedback_times(publication)
        earlier = training_tables.training_scores(publication, datetime(2026, 3, 1, 12, tzinfo=UTC))
        later = training_tables.training_scores(
            publication, datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
        )
        features = training_tables.user_features(publication)

    assert times.unique().to_list() == [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    assert (earlier.height, later.height) == (0, 2)
    assert features["user_id"].to_list() == ["u0", "u1"]
