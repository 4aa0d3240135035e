from __future__ import annotations

import json
from datetime import timedelta

import polars as pl

from feedback_platform.events.contract import EVENT_TYPES, FIELDS
from feedback_platform.simulation import Group, Simulation, SimulationParameters, simulate
from feedback_platform_tests.simulation.conftest import FIRST_DAY, Received, received

NEVER_SIMULATED = {"experiment_exposed", "consent_changed", "page_viewed", "user_aliased"}


def test_the_same_parameters_give_the_same_lines(small: Simulation) -> None:
    again = simulate(SimulationParameters(first_day=FIRST_DAY, users=40, days=3, seed=7))
    assert again.lines.equals(small.lines)
    assert again.planted == small.planted


def test_another_seed_gives_other_event_ids(small: Simulation) -> None:
    other = simulate(SimulationParameters(first_day=FIRST_DAY, users=40, days=3, seed=8))
    ids = [set(received(each).events["event_id"]) for each in (small, other)]
    assert ids[0].isdisjoint(ids[1])


def test_another_first_day_moves_the_events_there(small: Simulation) -> None:
    later = FIRST_DAY + timedelta(days=100)
    other = simulate(SimulationParameters(first_day=later, users=40, days=3, seed=7))
    assert set(other.lines["received_at"].dt.date()) <= {
        later + timedelta(days=offset) for offset in range(3)
    }
    assert small.lines["received_at"].dt.date().max() == FIRST_DAY + timedelta(days=2)


def test_every_type_of_event_that_a_product_sends_is_there(quiet: Received) -> None:
    assert set(quiet.events["event_type"]) == set(EVENT_TYPES) - NEVER_SIMULATED


def test_good_events_keep_the_contract(quiet: Received) -> None:
    for name, kind in EVENT_TYPES.items():
        events = quiet.events.filter(pl.col("event_type") == name)
        required = [*kind.required, *(["item_id"] if kind.needs_item else [])]
        if kind.value is not None:
            values = events["value"].drop_nulls()
            assert values.is_between(
                kind.value.minimum if kind.value.minimum is not None else float("-inf"),
                kind.value.maximum if kind.value.maximum is not None else float("inf"),
            ).all()
            required += ["value"] if kind.value.is_required else []
        assert [field for field in required if events[field].null_count()] == []


def test_a_line_has_no_field_that_the_contract_does_not_name(small: Simulation) -> None:
    lines = small.lines["line"].filter(small.lines["line"].str.ends_with("}"))
    assert {name for line in lines for name in json.loads(line)} <= set(FIELDS)


def test_lines_come_in_the_order_of_reception(quiet: Received) -> None:
    assert quiet.simulation.lines["received_at"].is_sorted()


def test_the_time_in_a_line_is_the_time_of_its_reception(small: Simulation) -> None:
    written = small.lines["line"].str.extract('"received_at":"([^"]*)"}$')
    expected = small.lines["received_at"].dt.strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
    is_whole = written.is_not_null()
    assert written.filter(is_whole).equals(expected.filter(is_whole))


def test_nothing_is_received_outside_of_the_simulated_days(quiet: Received) -> None:
    times = quiet.simulation.lines["received_at"]
    assert times.dt.date().min() == FIRST_DAY
    assert times.dt.date().max() == FIRST_DAY + timedelta(days=27)


def test_the_truth_is_not_in_the_events(quiet: Received) -> None:
    lines = quiet.simulation.lines["line"]
    for group in Group:
        assert not lines.str.contains(group.value, literal=True).any()
    assert not lines.str.contains('"group"', literal=True).any()


def test_items_and_users_introduce_themselves(small: Simulation) -> None:
    events = received(small).events
    items = events.filter(pl.col("event_type") == "item_updated")
    assert items["item_id"].n_unique() == 96
    assert items["user_id"].null_count() == 96
    title = items.filter(pl.col("item_id") == "scheduled-workflows")["properties"].item()
    assert json.loads(title) == {"title": "Scheduled workflows", "categories": ["workflows"]}
    users = events.filter(pl.col("event_type") == "user_updated")
    assert users["user_id"].is_unique().all()
    assert set(json.loads(users["properties"][0])) == {"plan", "company_size", "role"}


def test_a_single_user_on_a_single_day_is_simulated_too() -> None:
    simulation = simulate(SimulationParameters(first_day=FIRST_DAY, users=1, days=1))
    assert received(simulation).events["user_id"].drop_nulls().n_unique() == 1
