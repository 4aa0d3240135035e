"""Polars and Spark make the same of the same million events, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.engines.polars import POLARS
from feedback_platform.cleaning.engines.port import CleanedObjects, Engine
from feedback_platform.cleaning.engines.selection import chosen_engine
from feedback_platform.cleaning.engines.spark import SparkEngine
from feedback_platform.cleaning.fetching import read_object
from feedback_platform.cleaning.reference import BEGINNING, Reference, fit_reference
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import (
    NOBODY,
    Identity,
    IdentityKind,
    Tombstones,
    add_tombstones,
    load_tombstones,
)
from feedback_platform.settings import load_settings
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation
from feedback_platform.spark_session import spark_session
from feedback_platform_tests.services.bad_objects import write_bad_objects
from feedback_platform_tests.services.local_spark import local_spark

MILLION: Final = 1_000_000
OBJECTS_AT_ONCE: Final = 120


@pytest.fixture(scope="module")
def spark(service_dir: Path) -> Iterator[SparkEngine]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in local_spark(service_dir / "engines").items():
            environment.setenv(name, value)
        engine = chosen_engine(load_settings(service_dir, {"FEEDBACK_ENGINE": "spark"}))
        assert isinstance(engine, SparkEngine)
        yield engine
        spark_session().stop()


@pytest.fixture(scope="module")
def lake(service_dir: Path) -> Lake:
    """A million simulated events and, beside them, what goes wrong."""
    lake = Lake((service_dir / "a million").as_uri())
    simulated = simulate(SimulationParameters(first_day=date(2026, 1, 5), users=7000, days=28))
    write_simulation(lake, simulated)
    write_bad_objects(lake)
    return lake


def fitted(lake: Lake, objects: list[str]) -> Reference:
    texts = [read_object(lake, key).texts for key in objects]
    events = typed_events(texts).unique("event_id", keep="first", maintain_order=True)
    return fit_reference(events, default_rules(), effective_from=BEGINNING)


def cleaned(
    engine: Engine[Any, Any],
    lake: Lake,
    objects: list[str],
    reference: Reference,
    tombstones: Tombstones = NOBODY,
) -> CleanedObjects:
    held = [engine.read(lake, key, DEFAULT_MAPPING) for key in objects]
    return engine.clean(engine.parse(held), default_rules(), reference, tombstones)


def as_bits(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers as the shortest texts that mean them and no other, so that 0.0 is not -0.0."""
    return frame.with_columns(pl.selectors.float().cast(pl.String))


def assert_same(spark: CleanedObjects, polars: CleanedObjects) -> None:
    for left, right in ((spark.clean, polars.clean), (spark.quarantined, polars.quarantined)):
        assert left.schema == right.schema
        pairs = zip(as_bits(left), as_bits(right), strict=True)
        assert [one.name for one, other in pairs if not one.equals(other)] == []
    assert spark.object_rows == polars.object_rows
    assert spark.duplicates == polars.duplicates
    assert spark.object_erased == polars.object_erased


def test_a_million_events_are_the_same_to_the_last_bit(spark: SparkEngine, lake: Lake) -> None:
    objects = list_raw_objects(lake)
    reference = fitted(lake, objects[-OBJECTS_AT_ONCE:])
    assert {"view", "use"} <= {entry.signal for entry in reference.statistics}
    rows = clean = quarantined = duplicates = 0
    for first in range(0, len(objects), OBJECTS_AT_ONCE):
        some = objects[first : first + OBJECTS_AT_ONCE]
        by_polars = cleaned(POLARS, lake, some, reference)
        assert_same(cleaned(spark, lake, some, reference), by_polars)
        rows += by_polars.rows
        clean += by_polars.clean.height
        quarantined += by_polars.quarantined.height
        duplicates += by_polars.duplicates

    assert rows == clean + quarantined + duplicates >= MILLION
    assert quarantined > 1000
    assert duplicates > 1000


def test_both_leave_out_the_same_of_erased_users(spark: SparkEngine, tmp_path: Path) -> None:
    lake = Lake((tmp_path / "lake").as_uri())
    write_simulation(
        lake, simulate(SimulationParameters(first_day=date(2026, 1, 5), users=50, days=2))
    )
    write_bad_objects(lake)
    objects = list_raw_objects(lake)
    reference = fitted(lake, objects)
    whole = cleaned(POLARS, lake, objects, reference)
    users = whole.clean["user_id"].drop_nulls().unique().sort()[:10]
    who = [Identity(IdentityKind.USER, name) for name in users]
    add_tombstones(lake, "r1", who, datetime(2027, 1, 1, tzinfo=UTC))
    tombstones = load_tombstones(lake)

    by_spark = cleaned(spark, lake, objects, reference, tombstones)
    by_polars = cleaned(POLARS, lake, objects, reference, tombstones)

    assert_same(by_spark, by_polars)
    assert by_polars.erased > 0
    assert not by_polars.clean["user_id"].is_in(users.implode()).any()
