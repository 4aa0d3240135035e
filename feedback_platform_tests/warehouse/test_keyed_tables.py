from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.warehouse import layered
from feedback_platform.warehouse.keyed_tables import BASE, export_keyed
from feedback_platform.warehouse.published_files import PublishedTable
from feedback_platform_tests.warehouse.keyed_warehouse import KEYS, Key, KeyedWarehouse

SESSIONS = PublishedTable("interaction", "sessions", time="started_at", key=("session_id",))


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyedWarehouse:
    """One in which a handful of rows is not small."""
    monkeypatch.setattr(layered, "SMALL_ROWS", 0)
    return KeyedWarehouse(tmp_path)


def test_without_layers_a_reader_sees_the_base(warehouse: KeyedWarehouse) -> None:
    warehouse.change(set(KEYS))
    warehouse.publish()

    assert [file.partition for file in warehouse.files] == [BASE]
    assert warehouse.is_published()


def test_an_empty_table_has_its_columns(warehouse: KeyedWarehouse) -> None:
    warehouse.publish()

    assert warehouse.is_published()
    assert warehouse.seen().columns == ["user_id", "item_id", "score", "shares", "said"]


def test_a_small_change_is_a_small_layer(warehouse: KeyedWarehouse) -> None:
    warehouse.change(set(KEYS))
    warehouse.publish()
    warehouse.change({KEYS[3], KEYS[8]}, gone={KEYS[5]})
    fresh = warehouse.publish()

    assert [(file.partition, file.rows) for file in fresh] == [("layer-000000000002", 3)]
    assert warehouse.is_published()
    assert warehouse.seen().shape == (len(KEYS) - 1, 5)


def test_of_a_large_table_only_what_changed_is_written(
    tmp_path: Path,
) -> None:
    warehouse = KeyedWarehouse(tmp_path)
    rows = layered.SMALL_ROWS + 10_000
    warehouse.batch = 1
    warehouse.connection.execute(
        "insert into feedback.feedback_scores by name select 'u' || n // 100 as user_id, "
        "'i' || n % 100 as item_id, 0.5 as score, 1 as batch_sequence from range(?) as r(n)",
        [rows],
    )
    assert [file.rows for file in warehouse.publish()] == [rows]
    warehouse.change({("u1", "i1"), ("new", "i1")}, gone={("u2", "i2")})

    assert [file.rows for file in warehouse.publish()] == [3]
    assert warehouse.is_published()


def test_nothing_new_is_no_new_file(warehouse: KeyedWarehouse) -> None:
    warehouse.change(set(KEYS))
    warehouse.publish()

    assert warehouse.publish() == []
    assert warehouse.is_published()


def test_a_key_that_is_gone_may_come_back(warehouse: KeyedWarehouse) -> None:
    warehouse.change(set(KEYS))
    warehouse.publish()
    warehouse.change(set(), gone={KEYS[0]})
    warehouse.publish()
    assert KEYS[0] not in [row[:2] for row in warehouse.seen().fetchall()]
    warehouse.change({KEYS[0]})
    warehouse.publish()

    assert warehouse.is_published()


def test_a_row_that_is_new_although_no_event_names_its_key_is_published(
    warehouse: KeyedWarehouse,
) -> None:
    warehouse.change(set(KEYS))
    warehouse.publish()
    warehouse.change({KEYS[0]})
    warehouse.connection.execute("delete from interaction.changes where batch_sequence = 2")
    warehouse.publish()

    assert warehouse.is_published()


def test_a_key_that_only_came_cannot_be_gone(warehouse: KeyedWarehouse) -> None:
    """Most of what users are shown says nothing about what they like: it has no score."""
    warehouse.change(KEYS)
    warehouse.publish()
    warehouse.change({KEYS[0]})
    warehouse.connection.execute(
        "insert into interaction.changes select 'u' || n, 'shown', false, 2 from range(9) as r(n)"
    )

    assert [file.rows for file in warehouse.publish()] == [1]
    assert warehouse.is_published()


def test_what_was_published_before_is_no_change(warehouse: KeyedWarehouse) -> None:
    """`changes` is purged at the next run only."""
    warehouse.change(set(KEYS), gone={("u0", "never")})
    warehouse.publish()
    warehouse.change({KEYS[0]})

    assert [file.rows for file in warehouse.publish()] == [1]


def test_layers_that_have_grown_large_give_way_to_a_new_base(warehouse: KeyedWarehouse) -> None:
    warehouse.change(set(KEYS))
    warehouse.publish()
    warehouse.change(set(KEYS[:3]))
    warehouse.publish()
    assert len(warehouse.files) == 2
    warehouse.change({KEYS[9]})
    warehouse.publish()

    assert [(file.partition, file.rows) for file in warehouse.files] == [(BASE, len(KEYS))]
    assert warehouse.is_published()


def test_the_base_lies_in_the_order_that_readers_choose_by(tmp_path: Path) -> None:
    connection = duckdb.connect()
    connection.execute("create schema interaction")
    connection.execute(
        "create table interaction.sessions as select 's' || n as session_id, "
        "timestamp '2026-03-01' - interval (n) hour as started_at, 1 as batch_sequence "
        "from range(100) as r(n)"
    )
    (base,) = export_keyed(connection, SESSIONS, tmp_path, [], since=0, through=1)

    times = [time for _, time in duckdb.read_parquet(str(tmp_path / base.name)).fetchall()]
    assert times == sorted(times)


KEY_SETS = st.sets(st.sampled_from(KEYS), max_size=6)


@settings(max_examples=25)
@given(
    first=st.sets(st.sampled_from(KEYS)),
    batches=st.lists(st.tuples(KEY_SETS, KEY_SETS, st.booleans()), min_size=4, max_size=12),
    share=st.sampled_from([0.2, 1, 8]),
)
def test_readers_see_the_table_after_every_publication(
    first: set[Key],
    batches: list[tuple[set[Key], set[Key], bool]],
    share: float,
) -> None:
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(layered, "SMALL_ROWS", 0)
        patch.setattr(layered, "SHARE_OF_BASE", share)
        warehouse = KeyedWarehouse(Path(directory))
        warehouse.change(first)
        warehouse.publish()
        for written, gone, is_published in batches:
            warehouse.change(written, gone)
            if not is_published:
                continue
            warehouse.publish()
            assert warehouse.is_published()
            _, *layers = [file.rows for file in warehouse.files]
            assert all(newer < older / 2 for older, newer in pairwise(layers))
            # No file is left behind but those that a reader could have opened.
            assert [file.partition for file in warehouse.files] == sorted(
                file.partition for file in warehouse.files
            )
        warehouse.connection.close()
