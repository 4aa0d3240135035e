"""When an increment would be wrong, the warehouse is built from the clean layer again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.micro_batch import clean_pending
from feedback_platform.lake.batches import Ledger
from feedback_platform.lake.raw import list_raw_objects
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.loading import complete, lake_identity, stage_batches
from feedback_platform.warehouse.publishing import UnfinishedRunError
from feedback_platform_tests.warehouse.small_platform import REFERENCE, SmallPlatform, event


def reprocess_with_another_reference(platform: SmallPlatform) -> None:
    other = replace(REFERENCE, version="another")
    objects = list_raw_objects(platform.lake)
    clean_pending(
        platform.lake,
        objects,
        default_rules(),
        [other],
        ledger=Ledger.opened(platform.lake),
        is_reprocessing=True,
    )


def versions(platform: SmallPlatform) -> list[tuple[str, int]]:
    return platform.query(
        "select reference_version, count(*) from interaction.interactions group by all"
    )


def test_reprocessing_after_a_first_load_that_did_not_end_replaces_its_rows(
    platform: SmallPlatform,
) -> None:
    platform.land(event("a", "item_rated", item_id="i", value=4), object_id="1")
    platform.clean()
    platform.stage()
    platform.run(["+interactions"])

    reprocess_with_another_reference(platform)
    platform.transform()
    platform.publish()

    assert versions(platform) == [("another", 1)]


def test_half_a_run_is_not_published_and_the_readers_keep_what_they_had(
    platform: SmallPlatform,
) -> None:
    platform.land(event("a", "item_rated", item_id="i", value=4), object_id="1")
    platform.process()
    platform.land(event("b", "item_rated", item_id="i", value=2), object_id="2")
    platform.clean()
    platform.stage()
    platform.run(["+interactions"])

    with pytest.raises(UnfinishedRunError, match="feedback-platform process"):
        platform.publish()
    assert platform.query("select event_id from interaction.interactions") == [("a",)]

    platform.transform()
    platform.publish()
    assert len(platform.query("from interaction.interactions")) == 2


def test_the_tables_of_one_lake_are_not_taken_for_those_of_another(
    platform: SmallPlatform,
) -> None:
    platform.land(event("old", "item_rated", item_id="i", value=4), object_id="1")
    platform.process()

    assert platform.lake.directory is not None
    shutil.rmtree(platform.lake.directory)
    platform.land(event("new", "item_rated", item_id="j", value=4), object_id="1")
    platform.process()

    assert platform.query("select event_id from interaction.interactions") == [("new",)]
    assert platform.query("select item_id from interaction.items") == [("j",)]


def test_other_definitions_build_every_table_anew(platform: SmallPlatform) -> None:
    platform.land(event("a", "item_rated", item_id="i", value=4), object_id="1")
    platform.clean()
    with exclusive_warehouse(platform.warehouse) as path:
        staged = stage_batches(path, platform.lake, platform.directory, definitions="one")
        platform.run()
        with open_warehouse(path) as connection:
            complete(connection, staged.through)
        same = stage_batches(path, platform.lake, platform.directory, definitions="one")
        other = stage_batches(path, platform.lake, platform.directory, definitions="two")

    assert (same.batches, same.is_rebuild) == (0, False)
    assert (other.batches, other.is_rebuild, other.clean) == (1, True, 1)


def test_a_warehouse_whose_fixed_tables_have_another_shape_is_built_anew(
    platform: SmallPlatform,
) -> None:
    platform.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(platform.warehouse) as connection:
        connection.execute("create schema pipeline; create table pipeline.state (x int)")
    platform.land(event("a", "item_rated", item_id="i", value=4), object_id="1")

    platform.process()

    assert len(platform.query("from interaction.interactions")) == 1


def test_a_lake_keeps_the_identity_that_it_was_given(platform: SmallPlatform) -> None:
    assert lake_identity(platform.lake) == lake_identity(platform.lake)


def test_the_fingerprint_follows_what_builds_the_tables(platform: SmallPlatform) -> None:
    project = platform.project
    copy = platform.directory / "project"
    shutil.copytree(project.project_dir, copy)
    contract = copy / "models" / "feedback" / "feedback.yml"
    weights = copy / "seeds" / "signal_weights.csv"

    def fingerprint_after(path: Path, old: str, new: str) -> str:
        path.write_text(path.read_text().replace(old, new, 1))
        return type(project)(copy, project.target_dir, project.warehouse_path).fingerprint()

    described = fingerprint_after(contract, "Primary key.", "Its key.")
    weighted = fingerprint_after(weights, "0.9", "0.8")
    typed = fingerprint_after(contract, "data_type: bigint", "data_type: integer")

    assert described == project.fingerprint()
    assert len({described, weighted, typed}) == 3
