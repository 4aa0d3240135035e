"""What users say of their preferences in events counts like what is put, and as soon."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segment.analytics.client import Client

from feedback_platform.events.translation.mapping import DEFAULT_MAPPING
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import Identity, IdentityKind, add_tombstones
from feedback_platform.privacy.preferences import Preferences, PreferencesChange
from feedback_platform.privacy.preferences_log import PreferencesEntry
from feedback_platform.serving.neighbours import Neighbours
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.preferences import MOST_WAITING
from feedback_platform.serving.preferences_writer import PreferencesWriter
from feedback_platform.serving.stated_preferences import StatedPreferences
from feedback_platform.serving.user_facts import PublishedUsers
from feedback_platform.settings import load_settings
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.serving_process import serving_process
from feedback_platform_tests.serving.users import GUARDED, preferences, put
from feedback_platform_tests.waiting import until

NOW = datetime.now(UTC).replace(microsecond=0)
SIGNALS = ("click", "view")
OFF = PreferencesChange(personalisation=False)
ON = PreferencesChange(personalisation=True)
# The one at which the tables of a test were published, if any were.
EARLIER = NOW - timedelta(hours=2)


class Server:
    """What one process knows; it looks when it is told to."""

    def __init__(self, directory: Path) -> None:
        self.lake = Lake((directory / "lake").as_uri())
        self.path = directory / "feedback.duckdb"
        self.pending = PendingPreferences(self.lake, clock=lambda: NOW)
        self.users = PublishedUsers(self.path, self.pending)
        self.writer = PreferencesWriter(self.lake, self.pending, Neighbours(None))
        self.stated = StatedPreferences(self.lake, self.path, DEFAULT_MAPPING, self.writer, SIGNALS)

    async def look(self) -> None:
        await self.pending.look()
        await self.users.look()

    def allows(self, user_id: str = "ada") -> Preferences:
        return self.users.preferences_of(user_id)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def line(
    name: str,
    properties: Any,
    *,
    at: datetime | str = NOW,
    user_id: str | None = "ada",
    **fields: Any,
) -> bytes:
    """A message of Segment's as the collector stores it."""
    message = {
        "type": "track",
        "event": "Consent Updated",
        "messageId": name,
        "userId": user_id,
        "timestamp": at if isinstance(at, str) else at.isoformat(),
        "properties": properties,
        **fields,
    }
    received = {"format": "segment", "received_at": NOW.isoformat(), "message": message}
    return orjson.dumps(received) + b"\n"


async def told(server: Server, *lines: bytes) -> None:
    await server.stated.take(b"".join(lines), NOW)


def test_an_event_counts_at_once_and_for_who_reads_the_log_later(server: Server) -> None:
    async def main() -> None:
        await server.look()
        await told(server, line("m", {"personalisation": False, "signals": {"view": "FALSE"}}))
        expected = Preferences(is_personalised=False, signals_off=frozenset({"view"}))
        assert server.allows() == expected
        assert server.allows("eve") == Preferences()

        restarted = Server(server.path.parent)
        await restarted.look()
        assert restarted.allows() == expected

    asyncio.run(main())


@pytest.mark.parametrize(
    "refused",
    [
        line("m", {"personalisation": False}, at="yesterday"),
        line("m", {"personalisation": False}, at=NOW + timedelta(days=2)),
        line("m", {"personalisation": False}, user_id=None),
        line("m", {"personalisation": False}, user_id="a\0b"),
        line("m", {"personalisation": "no", "signals": {"smell": False}}),
        line("m", {"personalisation": False}, event="Product Clicked"),
        line("m", None),
        b"no JSON\n",
    ],
)
def test_what_the_layers_will_not_hear_says_nothing(server: Server, refused: bytes) -> None:
    async def main() -> None:
        await server.look()
        await told(server, refused)
        assert server.allows() == Preferences()
        assert server.lake.list_keys(keys.PREFERENCES) == []

    asyncio.run(main())


def test_what_was_said_on_a_device_is_the_devices(server: Server) -> None:
    async def main() -> None:
        await server.look()
        await told(server, line("m", {"research": False}, user_id=None, anonymousId="d-1"))
        assert server.allows("anonymous:d-1") == Preferences(allows_research=False)

    asyncio.run(main())


def test_what_somebody_said_before_they_were_erased_is_not_kept(server: Server) -> None:
    async def main() -> None:
        await server.look()
        add_tombstones(server.lake, "r", [Identity(IdentityKind.USER, "ada")], NOW)
        await told(server, line("m", {"personalisation": False}))
        assert server.lake.list_keys(keys.PREFERENCES) == []

    asyncio.run(main())


def test_an_event_that_comes_again_after_it_was_published_takes_nothing_back(
    server: Server,
) -> None:
    async def main() -> None:
        said = [
            PreferencesEntry("m", EARLIER, "ada", OFF),
            PreferencesEntry("p", EARLIER + timedelta(minutes=1), "ada", ON),
        ]
        publish_users(server.path, said=said)
        await server.look()
        await told(server, line("m", {"personalisation": False}, at=EARLIER))
        assert server.allows() == Preferences()
        assert server.lake.list_keys(keys.PREFERENCES) == []

    asyncio.run(main())


def test_a_name_that_is_no_name_of_a_file_does_no_harm(server: Server) -> None:
    async def main() -> None:
        await server.look()
        names = ["../../a", "x" * 100, "ö/\\", "a#1"]
        for name in names:
            await told(server, line(name, {"personalisation": False}, user_id=name))
            assert server.allows(name) == Preferences(is_personalised=False)
        assert len(server.lake.list_keys(keys.PREFERENCES)) == len(names)

    asyncio.run(main())


@dataclass(frozen=True)
class Said:
    """Something that a user said at a time, in minutes."""

    user: str
    minute: int
    change: PreferencesChange


switches = st.none() | st.booleans()
statements = st.lists(
    st.builds(
        Said,
        st.sampled_from(["ada", "anonymous:d"]),
        st.integers(0, 5),
        st.builds(
            PreferencesChange,
            switches,
            switches,
            st.dictionaries(st.sampled_from(SIGNALS), st.booleans()),
        ),
    ),
    max_size=6,
)


def as_entries(said: Sequence[Said]) -> list[PreferencesEntry]:
    """In the order in which they were said; of one minute, by their names."""
    named = [
        PreferencesEntry(f"m{number}", EARLIER + timedelta(minutes=s.minute), s.user, s.change)
        for number, s in enumerate(said)
    ]
    return sorted(named, key=lambda entry: entry.order)


def as_line(entry: PreferencesEntry) -> bytes:
    is_device = entry.user_id.startswith("anonymous:")
    device = {"anonymousId": "d"} if is_device else {}
    user_id = None if is_device else entry.user_id
    content = entry.change.content
    return line(entry.event_id, content, at=entry.said_at, user_id=user_id, **device)


@settings(max_examples=10)
@given(statements, st.integers(0, 6), st.randoms(use_true_random=False))
def test_it_comes_to_the_same_as_if_it_had_been_put(
    said: list[Said], published: int, order: Any
) -> None:
    entries = as_entries(said)
    expected = {user: Preferences() for user in ("ada", "anonymous:d")}
    for entry in entries:
        expected[entry.user_id] = entry.change.applied_to(expected[entry.user_id])

    async def main(directory: Path) -> None:
        by_put, by_event = Server(directory / "put"), Server(directory / "event")
        for server in (by_put, by_event):
            if published:
                publish_users(server.path, said=entries[:published])
            await server.look()
        await by_put.writer.write([entry for entry in entries[published:] if entry.change])
        # In any order, and what is published once more.
        delivered = list(entries)
        order.shuffle(delivered)
        middle = len(delivered) // 2
        for part in (delivered[:middle], delivered[middle:]):
            if part:
                await told(by_event, *map(as_line, part))
        for server in (by_put, by_event):
            restarted = Server(server.path.parent)
            await restarted.look()
            for user, preference in expected.items():
                assert server.allows(user) == restarted.allows(user) == preference

    with tempfile.TemporaryDirectory() as made:
        for name in ("put", "event"):
            (Path(made) / name).mkdir()
        asyncio.run(main(Path(made)))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server") / "data", GUARDED) as server:
        yield server


def consent(user: str, properties: Any, **fields: Any) -> dict[str, Any]:
    said = {"event": "Consent Updated", "userId": user, "properties": properties}
    return {"type": "track", "writeKey": "w-key", **said, **fields}


def test_every_way_over_http_counts_in_the_next_response(running: RunningServer) -> None:
    key = {"Authorization": "Bearer w-key"}
    off = {"personalisation": False}
    clicks = [
        {"type": "track", "userId": "eve", "event": "Product Clicked", "messageId": f"c{number}"}
        for number in range(20)
    ]
    event = {
        "specversion": "1.0",
        "type": "com.shop.consent_changed",
        "source": "s",
        "id": "1",
        "data": {"user_id": "u3", "properties": off},
    }
    binary = {f"ce-{name}": str(event[name]) for name in ("specversion", "type", "source", "id")}
    said = json.dumps({"user_id": "u4", "properties": off}).encode()
    batch = {"writeKey": "w-key", "batch": [*clicks, consent("u2", off), {"type": "x"}, 1]}
    structured = {**key, "content-type": "application/cloudevents+json"}
    answers = [
        running.post("/v1/track", consent("u1", off)),
        running.post("/v1/batch", batch),
        running.post("/v1/cloudevents", event, structured),
        running.post(
            "/v1/cloudevents", said, {**key, **binary, "content-type": "application/json"}
        ),
    ]

    assert [answer.status for answer in answers] == [200, 200, 204, 204]
    for number in range(1, 5):
        assert preferences(running, f"u{number}")["personalisation"] is False
    # What is put afterwards is the later word.
    assert put(running, {"personalisation": True}, "u1").content["personalisation"] is True


def test_events_do_not_use_up_what_a_user_may_put(running: RunningServer) -> None:
    many = [consent("many", {"research": n % 2 == 0}, messageId=f"n{n}") for n in range(60)]
    assert len(many) > MOST_WAITING
    assert running.post("/v1/batch", {"writeKey": "w-key", "batch": many}).status == 200

    assert put(running, {"personalisation": False}, "many").status == 200


def test_an_event_that_cannot_be_kept_for_a_restart_is_not_answered_as_stored(
    running: RunningServer,
) -> None:
    log = Path(running.settings.data_dir) / "lake" / keys.PREFERENCES
    log.parent.mkdir(parents=True, exist_ok=True)
    away = log.with_name("away")
    if log.exists():
        log.rename(away)
    log.write_text("no directory")

    refused = running.post("/v1/track", consent("cat", {"research": False}, messageId="again"))

    assert (refused.status, refused.content["code"]) == (503, "unavailable")
    click = {"writeKey": "w-key", "userId": "cat", "event": "Product Clicked"}
    assert running.post("/v1/track", click).status == 200
    log.unlink()
    if away.exists():
        away.rename(log)
    again = running.post("/v1/track", consent("cat", {"research": False}, messageId="again"))
    assert again.status == 200
    assert preferences(running, "cat")["research"] is False


def test_segments_library_is_heard_by_every_worker_at_once_and_after_a_restart(
    tmp_path: Path, free_port: int
) -> None:
    data = tmp_path / "data"
    publish_users(load_settings(data, {}).published_path)
    failed: list[Any] = []
    with serving_process(data, free_port, GUARDED, workers=2) as serving:
        until(lambda: serving.client.ask("GET", "/readyz").status == 200)
        library = Client(
            "w-key",
            host=f"http://127.0.0.1:{free_port}",
            on_error=lambda error, _batch: failed.append(error),
            sync_mode=True,
        )
        for is_on in (False, True, False):
            library.track("ada", "Consent Updated", {"personalisation": is_on})
            # A connection of its own each time: of two workers, either may take it.
            answers = {preferences(serving.client)["personalisation"] for _ in range(8)}
            assert answers == {is_on}
        assert serving.signal(signal.SIGTERM) == 0
        serving.start()
        until(lambda: serving.client.ask("GET", "/readyz").status == 200)
        assert preferences(serving.client)["personalisation"] is False
    assert failed == []
