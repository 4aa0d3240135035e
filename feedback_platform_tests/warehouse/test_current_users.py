"""Segments and consents as they are published now, read where something is new."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl
import pytest

from feedback_platform.errors import NothingPublishedError
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.current_users import CurrentUsersReader, Segment
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform.warehouse.training_tables import open_for_training
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event


def consent(user: str, at: str, **properties: Any) -> dict[str, Any]:
    fields = {"user_id": user, "occurred_at": f"2026-03-01T{at}:00Z", "properties": properties}
    return event(f"{user} {at}", "consent_changed", **fields)


def segment(platform: SmallPlatform, **segments: int) -> None:
    """Put users into segments, which are called `segment 1` and so on."""
    with open_warehouse(platform.warehouse) as connection:
        members = _like(connection, "ml.user_segments", user_id=list(segments),
                        segment_id=list(segments.values()))  # fmt: skip
        numbers = sorted(set(segments.values()))
        names = [f"segment {number}" for number in numbers]
        profiles = _like(connection, "ml.segment_profiles", segment_id=numbers, name=names)
        replace_tables(
            connection,
            {("ml", "user_segments"): members, ("ml", "segment_profiles"): profiles},
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


def opted_out_of_training(platform: SmallPlatform) -> set[str]:
    with open_for_training(platform.published) as publication:
        return {user for (user,) in publication.execute("from opted_out").fetchall()}


def test_before_the_first_publication_there_is_nobody_to_know(platform: SmallPlatform) -> None:
    with pytest.raises(NothingPublishedError):
        CurrentUsersReader(platform.published).read()


def test_everybody_has_the_segment_and_the_consent_of_the_newest_publication(
    platform: SmallPlatform,
) -> None:
    reader = CurrentUsersReader(platform.published)
    platform.land(
        consent("u1", "10:00", personalisation=False),
        consent("u2", "10:00", personalisation=False),
        consent("u2", "11:00", personalisation=True),
        consent("u3", "10:00", research=False),
        consent("u4", "10:00", personalisation="false"),
        object_id="1",
    )
    platform.clean()
    platform.transform()
    segment(platform, u1=1, u2=2, u5=2)
    platform.publish()

    found = reader.read()

    assert found.segments == {
        "u1": Segment(1, "segment 1"),
        "u2": Segment(2, "segment 2"),
        "u5": Segment(2, "segment 2"),
    }
    assert found.opted_out == opted_out_of_training(platform) == {"u1", "u4"}

    # What arrives late is no later for that.
    platform.land(
        consent("u2", "10:30", personalisation=False),
        consent("u1", "12:00", personalisation=True),
        consent("u3", "09:00", personalisation=False),
        object_id="2",
    )
    platform.process()
    segment(platform, u1=2)
    platform.publish()

    assert reader.read().opted_out == opted_out_of_training(platform) == {"u3", "u4"}
    assert reader.read().segments == {"u1": Segment(2, "segment 2")}
    assert CurrentUsersReader(platform.published).read() == reader.read()


def test_a_file_that_was_read_is_not_read_again(
    platform: SmallPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = CurrentUsersReader._read_consents

    def counted(reader: CurrentUsersReader, connection: Any, name: str) -> Any:
        read.append(name)
        return original(reader, connection, name)

    monkeypatch.setattr(CurrentUsersReader, "_read_consents", counted)
    platform.land(event("like", "item_liked", item_id="i1"), object_id="1")
    platform.process()
    reader = CurrentUsersReader(platform.published)
    reader.read()
    reader.read()
    assert len(read) == len(set(read)) == 1

    # What a later publication took up is forgotten with its file.
    platform.land(consent("u1", "10:00", personalisation=False), object_id="2")
    platform.process()
    assert reader.read().opted_out == {"u1"}
    assert len(read) == len(set(read)) == 2
