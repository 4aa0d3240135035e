"""What a server remembers of its users' last minutes, and how much of it at most."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.ingestion.collector.audience import Accepted
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.serving.neighbours import Neighbours
from feedback_platform.serving.session_events import UserEvent
from feedback_platform.serving.session_memory import SessionLimits, SessionMemory
from feedback_platform_tests.serving.test_neighbours import play

_OVERHEAD = 500
# A line of one character, and a name of three.
_CLICK = 1 + sys.getsizeof("ada")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def interpreted(line: bytes) -> tuple[UserEvent, ...]:
    """A line of these tests is the id of its event, which is about the item of the same name."""
    name = line.decode().strip()
    return (UserEvent(name, SessionEvent("item_clicked", name, None, 0.0)),)


def memory(limits: SessionLimits | None = None, clock: Clock | None = None) -> SessionMemory:
    return SessionMemory(Neighbours(None), interpreted, limits=limits, clock=clock or Clock())


def click(user: str, item: str, device: str = "") -> Accepted:
    return Accepted(user, device, item.encode())


def items(remembered: SessionMemory, user: str) -> list[str]:
    return [event.item_id for event in remembered.of(user)]


def test_a_user_has_what_they_did_and_nobody_else_has() -> None:
    kept = memory()
    kept.hear([click("ada", "a"), click("bob", "b"), click("ada", "c")])

    assert items(kept, "ada") == ["a", "c"]
    assert items(kept, "bob") == ["b"]
    assert items(kept, "nobody") == []


def test_an_event_that_is_delivered_twice_counts_once() -> None:
    kept = memory()
    kept.hear([click("ada", "a"), click("ada", "a")])
    kept.hear([click("ada", "a")])

    assert items(kept, "ada") == ["a"]


def test_a_device_of_nobody_known_is_a_user_like_any_other() -> None:
    kept = memory()
    kept.hear([click("", "a", "phone")])

    assert items(kept, "anonymous:phone") == ["a"]
    assert items(kept, "phone") == []


def test_what_was_done_before_a_login_is_the_users_afterwards_and_no_longer_the_devices() -> None:
    kept = memory()
    kept.hear([click("", "a", "phone"), Accepted("ada", "phone", b""), click("ada", "b")])

    assert sorted(items(kept, "ada")) == ["a", "b"]
    assert items(kept, "anonymous:phone") == []


def test_a_second_user_of_a_device_takes_nothing_from_the_first() -> None:
    kept = memory()
    kept.hear([click("ada", "a", "phone"), click("", "b", "phone"), click("bob", "c", "phone")])

    assert sorted(items(kept, "ada")) == ["a", "b"]
    assert items(kept, "bob") == ["c"]


def test_what_is_too_old_is_gone() -> None:
    clock = Clock()
    kept = memory(SessionLimits(seconds=60), clock)
    kept.hear([click("ada", "a")])
    clock.now = 59
    kept.hear([click("ada", "b")])
    assert items(kept, "ada") == ["a", "b"]
    clock.now = 60
    assert items(kept, "ada") == ["b"]
    clock.now = 200
    assert items(kept, "ada") == []
    assert (kept.events, kept.held_bytes) == (0, 0)


def test_of_a_user_who_does_a_lot_the_newest_is_kept() -> None:
    kept = memory(SessionLimits(events_per_user=3))
    kept.hear([click("ada", f"{number}") for number in range(10)])

    assert items(kept, "ada") == ["7", "8", "9"]


def test_when_there_is_no_more_room_the_oldest_goes_whoever_did_it() -> None:
    kept = memory(SessionLimits(total_bytes=3 * (_OVERHEAD + _CLICK)))
    kept.hear([click("ada", "a"), click("bob", "b"), click("ada", "c"), click("bob", "d")])

    assert items(kept, "ada") == ["c"]
    assert items(kept, "bob") == ["b", "d"]


def test_names_of_any_length_take_no_room_beyond_the_bound() -> None:
    kept = memory(SessionLimits(total_bytes=100_000))
    kept.hear([click("\N{SNOWMAN}" * 2_000 + str(number), "a") for number in range(1_000)])

    assert kept.events < 100_000 / 4_000
    assert kept.held_bytes <= 100_000


def test_a_device_of_an_endless_name_has_no_owner() -> None:
    kept = memory()
    device = "d" * 1_000
    kept.hear([Accepted("ada", device, b""), click("", "a", device)])

    assert items(kept, "ada") == []
    assert items(kept, f"anonymous:{device}") == ["a"]


def test_only_so_many_devices_have_an_owner() -> None:
    kept = memory(SessionLimits(devices=2))
    for number in range(3):
        kept.hear([click("", f"{number}", f"d{number}")])
        kept.hear([Accepted(f"u{number}", f"d{number}", b"")])

    assert [items(kept, f"u{number}") for number in range(3)] == [[], ["1"], ["2"]]
    assert items(kept, "anonymous:d0") == ["0"]


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ada", "bob", ""]),
        st.sampled_from(["phone", "desk", ""]),
        st.integers(0, 30),
        st.integers(0, 20),
        st.booleans(),
    ),
    max_size=60,
)


@given(
    events=_EVENTS,
    limits=st.builds(
        SessionLimits,
        seconds=st.integers(1, 60).map(float),
        events_per_user=st.integers(1, 5),
        total_bytes=st.integers(0, 8 * _OVERHEAD),
        devices=st.integers(1, 2),
    ),
)
def test_whatever_comes_and_whoever_asks_no_bound_is_passed_and_nothing_is_told_of_others(
    events: list[tuple[str, str, int, int, bool]], limits: SessionLimits
) -> None:
    clock = Clock()
    kept = memory(limits, clock)
    owners: dict[str, set[str]] = {}
    told_at: dict[str, float] = {}
    for number, (user, device, padding, passes, asks) in enumerate(events):
        clock.now += passes
        name = f"{number}"
        kept.hear([Accepted(user, device, name.encode() + b" " * padding)])
        owners[name] = {user} if user else {"ada", "bob", f"anonymous:{device}"}
        told_at[name] = clock.now
        assert kept.held_bytes <= limits.total_bytes
        assert kept.held_bytes >= kept.events * _OVERHEAD
        if asks:
            for who in ("ada", "bob", "anonymous:phone", "anonymous:desk"):
                for found in items(kept, who):
                    assert who in owners[found]
                    assert clock.now - told_at[found] < limits.seconds
                assert len(items(kept, who)) <= limits.events_per_user
    clock.now += limits.seconds
    assert items(kept, "ada") == []
    assert (kept.events, kept.held_bytes) == (0, 0)


def test_what_one_worker_stored_another_knows_at_once_however_much_it_is() -> None:
    async def scenario(directory: Path) -> None:
        one, two = Neighbours(directory), Neighbours(directory)
        here, there = (SessionMemory(each, interpreted) for each in (one, two))
        one.start()
        two.start()
        one.receive()
        here.hear([click("ada\n\t\0", "a"), Accepted("ada\n\t\0", "phone", b"")])
        assert items(there, "ada\n\t\0") == ["a"]
        there.hear([click("", "b", "phone")])
        assert sorted(items(here, "ada\n\t\0")) == ["a", "b"]
        large = [click("bob", f"{number}" + " " * 3000) for number in range(50)]
        here.hear(large)
        assert len(items(there, "bob")) == 50
        assert one.dropped == 0
        one.stop()
        two.stop()

    play(scenario)


def test_an_event_that_fits_into_no_datagram_stays_with_the_worker_that_has_it() -> None:
    async def scenario(directory: Path) -> None:
        one, two = Neighbours(directory), Neighbours(directory)
        here, there = (SessionMemory(each, interpreted) for each in (one, two))
        two.start()
        one.start()
        here.hear([click("ada", "a" * 40_000), click("ada", "b")])
        assert len(items(here, "ada")) == 2
        assert items(there, "ada") == ["b"]
        one.stop()
        two.stop()

    play(scenario)


def test_of_who_leaves_nothing_is_left_and_their_place_is_free_in_time() -> None:
    clock = Clock()
    kept = memory(SessionLimits(seconds=10), clock)
    kept.hear([click("", "before", "phone"), click("ada", "a", "phone"), click("bob", "b")])

    kept.forget(["ada", "nobody"])

    assert items(kept, "ada") == items(kept, "anonymous:phone") == []
    assert items(kept, "bob") == ["b"]
    # What they do afterwards is new, and so is whose the device is.
    kept.hear([click("ada", "new"), click("eve", "own", "phone")])
    assert items(kept, "ada") == ["new"]
    assert items(kept, "eve") == ["own"]
    clock.now = 10.0
    assert items(kept, "ada") == []
    assert (kept.held_bytes, kept.events) == (0, 0)
