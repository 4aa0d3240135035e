"""Segments and preferences as they are published now, read where something is new."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl
import pytest

from feedback_platform.errors import NothingPublishedError
from feedback_platform.warehouse import current_users
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.current_users import (
    CurrentUsers,
    CurrentUsersReader,
    Segment,
)
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event


def consent(user: str, at: str, **properties: Any) -> dict[str, Any]:
    fields = {"user_id": user, "occurred_at": f"2026-03-01T{at}:00Z", "properties": properties}
    return event(f"{user} {at}", "consent_changed", **fields)


def segment(platform: SmallPlatform, **segments: int) -> None:
    """Put users into segments, which are called `segment 1` and so on, and make them lists."""
    with open_warehouse(platform.warehouse) as connection:
        members = _like(connection, "ml.user_segments", user_id=list(segments),
                        segment_id=list(segments.values()))  # fmt: skip
        numbers = sorted(set(segments.values()))
        names = [f"segment {number}" for number in numbers]
        profiles = _like(connection, "ml.segment_profiles", segment_id=numbers, name=names)
        lists = _like(connection, "ml.recommendations", user_id=list(segments))
        replace_tables(
            connection,
            {
                ("ml", "user_segments"): members,
                ("ml", "segment_profiles"): profiles,
                ("ml", "recommendations"): lists,
            },
        )


def _like(connection: duckdb.DuckDBPyConnection, table: str, **columns: Any) -> pl.DataFrame:
    """Rows of a table of which only some columns matter."""
    schema = pl.DataFrame(connection.sql(f"from {table} limit 0").to_arrow_table()).schema
    rows = len(next(iter(columns.values())))
    others = {name: pl.Series([_any(kind)] * rows, dtype=kind) for name, kind in schema.items()}
    return pl.DataFrame({**others, **columns}).cast(schema)


def _any(kind: pl.DataType) -> Any:
    if kind.is_numeric():
        return 0
    return [] if kind.is_nested() else "x"


def test_before_the_first_publication_there_is_nobody_to_know(platform: SmallPlatform) -> None:
    with pytest.raises(NothingPublishedError):
        CurrentUsersReader(platform.published).read()


def test_everybody_has_the_segment_and_the_preferences_of_the_newest_publication(
    platform: SmallPlatform,
) -> None:
    reader = CurrentUsersReader(platform.published)
    platform.land(
        consent("u1", "10:00", personalisation=False),
        consent("u2", "10:00", personalisation=False, signals={"view": False, "like": False}),
        consent("u2", "11:00", personalisation=True, signals={"view": True}),
        consent("u3", "10:00", research=False),
        consent("u4", "10:00", personalisation="false"),
        consent("u5", "10:00", personalisation=True),
        object_id="1",
    )
    platform.clean()
    platform.transform()
    segment(platform, u1=1, u2=2, u3=2)
    platform.publish()

    assert reader.read() == CurrentUsers(
        segments={"u2": Segment(2, "segment 2"), "u3": Segment(2, "segment 2")},
        opted_out=frozenset({"u1", "u4"}),
        out_of_research=frozenset({"u3"}),
        signals_off={"u2": frozenset({"like"})},
    )

    # What arrives late is no later for that.
    platform.land(
        consent("u2", "10:30", personalisation=False),
        consent("u1", "12:00", personalisation=True),
        consent("u3", "09:00", personalisation=False),
        object_id="2",
    )
    publication = platform.process()

    found = reader.read()
    assert found == CurrentUsersReader(platform.published).read()
    assert found.opted_out == {"u3", "u4"}
    # No training was waited for, and the files do not keep the rows either.
    assert found.segments.keys() == {"u1", "u2"}
    for table in ("ml.user_segments", "ml.recommendations"):
        assert publication.rows[table] == 2
        ((file,),) = platform.query('select name from published.files where "table" = ?', [table])
        rows = pl.read_parquet(platform.published.parent / "tables" / file)
        assert rows["user_id"].to_list() == ["u1", "u2"]


def test_a_table_is_read_again_only_when_its_files_are_others(
    platform: SmallPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def count(name: str) -> None:
        original = getattr(current_users, name)

        def counted(connection: Any) -> Any:
            read.append(name)
            return original(connection)

        monkeypatch.setattr(current_users, name, counted)

    count("_segments")
    count("_switched_off")
    platform.land(consent("u1", "10:00", personalisation=False), object_id="1")
    platform.process()
    reader = CurrentUsersReader(platform.published)
    assert reader.read().opted_out == {"u1"}
    assert read == ["_segments", "_switched_off"]

    # Whoever has preferences may do what they like: their row is the same.
    platform.land(event("view", "item_viewed", item_id="i2"), object_id="2")
    platform.process()
    assert reader.read().opted_out == {"u1"}
    assert read == ["_segments", "_switched_off"]

    platform.land(consent("u1", "11:00", personalisation=True), object_id="3")
    platform.process()
    assert reader.read().opted_out == set()
    assert read == ["_segments", "_switched_off", "_switched_off"]
