"""What could not be decoded without its schema comes in when its topic is read again."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.cleaning.quarantine import QuarantineFilter, list_quarantine
from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.events.schemas.framing import write_frame
from feedback_platform.events.schemas.schema import Schema, SchemaType
from feedback_platform.ingestion.decoding import MessageDecoder
from feedback_platform.ingestion.schemas import EmbeddedSchemas
from feedback_platform.ingestion.streams.landing import StreamLanding
from feedback_platform.ingestion.streams.partition import Message
from feedback_platform.lake.batches import latest_manifest
from feedback_platform.lake.store import Lake
from feedback_platform.monitoring.accounting import Account, account
from feedback_platform_tests.ingestion.streams.world import (
    NOW,
    PARTITION,
    Offsets,
    lake_at,
    milliseconds,
)

LIKED = {"event_type": "item_liked", "user_id": "u", "item_id": "i"}


def read_by_a_new_group(lake: Lake, messages: list[Message]) -> None:
    decode = MessageDecoder(EmbeddedSchemas(lake))
    landing = StreamLanding(lake, Offsets(), decode, linger=60.0, clock=lambda: NOW)
    writer = landing.open(PARTITION)
    for message in messages:
        writer.add(message)
    landing.land_all()
    landing.close()


def cleaned(lake: Lake) -> Account:
    clean_new(lake, default_rules(), is_sweep=False)
    latest = latest_manifest(lake)
    assert latest is not None
    return account(lake, through=latest.sequence)


@pytest.mark.parametrize("claims", ["there still", "pruned"])
def test_the_undecoded_come_in_and_the_others_count_once(tmp_path: Path, claims: str) -> None:
    lake = lake_at(tmp_path)
    # The next id to be given out: that of a schema which nobody has registered yet.
    schema_id = SchemaRegistry(Lake((tmp_path / "other").as_uri())).register(
        "events-value", Schema('{"type": "object"}', SchemaType.JSON)
    )
    plain = orjson.dumps(LIKED)
    values = [plain, write_frame(schema_id, plain), plain]
    messages = [Message(at, milliseconds(NOW), value) for at, value in enumerate(values)]
    read_by_a_new_group(lake, messages)
    assert cleaned(lake) == Account(received=3, events=2, quarantined=1)

    SchemaRegistry(lake).register("events-value", Schema('{"type": "object"}', SchemaType.JSON))
    if claims == "pruned":
        lake.delete(lake.list_keys("raw/claims"))
    read_by_a_new_group(lake, messages)

    after = cleaned(lake)
    assert (after.events, after.quarantined, after.duplicates) == (3, 1, 2)
    assert list_quarantine(lake, QuarantineFilter()).rows["field"].to_list() == [
        f"schema {schema_id} is not registered"
    ]
