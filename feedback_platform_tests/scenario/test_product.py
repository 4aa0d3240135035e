from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feedback_platform.scenario.in_process import running
from feedback_platform.scenario.messages import catalogue_messages
from feedback_platform.scenario.product import Keys, Product, ServerRefusedError
from feedback_platform.scenario.virtual_clock import VirtualClock
from feedback_platform.serving.application import build_application
from feedback_platform.settings import load_settings
from feedback_platform_tests.serving.running import stored_lines

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
KEYS = Keys(write="w" * 20, api="a" * 20)
ENVIRONMENT = {
    "FEEDBACK_WRITE_KEYS": f"product:{KEYS.write}",
    "FEEDBACK_API_KEYS": f"product:{KEYS.api}",
}


def with_product(
    directory: Path, do: Callable[[Product], Awaitable[object]], keys: Keys = KEYS
) -> object:
    """What comes of talking to the real application, on which it is noon."""
    settings, clock = load_settings(directory, ENVIRONMENT), VirtualClock(NOON)

    async def talk() -> object:
        async with running(build_application(settings, clock=clock)) as server:
            return await do(Product(server, clock, keys, positions=4))

    return asyncio.run(talk())


def test_each_message_is_received_at_the_time_of_its_own_sender(tmp_path: Path) -> None:
    later = NOON + timedelta(hours=5)

    async def send(product: Product) -> None:
        messages = catalogue_messages(NOON)
        await asyncio.gather(
            product.sending(messages[:1], NOON), product.sending(messages[1:2], later)
        )

    with_product(tmp_path, send)

    lines = stored_lines(load_settings(tmp_path, {}))
    times = {line["received_at"] for line in lines}
    assert times == {"2024-01-01T12:00:00.000000Z", "2024-01-01T17:00:00.000000Z"}


def test_before_there_are_lists_there_is_none(tmp_path: Path) -> None:
    assert with_product(tmp_path, lambda product: product.shown_list("user-1", NOON)) is None


def test_a_server_that_refuses_stops_the_story(tmp_path: Path) -> None:
    wrong = Keys(write="x" * 20, api="x" * 20)

    with pytest.raises(ServerRefusedError, match="answered 401"):
        with_product(tmp_path, lambda product: product.send(catalogue_messages(NOON), NOON), wrong)
    with pytest.raises(ServerRefusedError, match="answered 401"):
        with_product(tmp_path, lambda product: product.shown_list("user-1", NOON), wrong)
