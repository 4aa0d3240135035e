from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.events.translation.mapping import DEFAULT_MAPPING, EventMapping, load_mapping
from feedback_platform.events.translation.mapping_file import parse_mapping
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.events.translation.messages import outcome, track, translated

EXAMPLE = PROJECT_DIR / "docs" / "event-mapping.toml"


def mapping(text: str) -> EventMapping:
    return EventMapping(parse_mapping(text, origin="mapping.toml"))


@pytest.fixture(scope="module")
def example() -> EventMapping:
    return load_mapping(EXAMPLE)


def test_without_a_file_the_defaults_apply() -> None:
    assert load_mapping(None) is DEFAULT_MAPPING


def test_a_path_reaches_into_the_properties_and_a_scale_changes_the_unit(
    example: EventMapping,
) -> None:
    properties = {"film": {"id": 17, "title": "Heat"}, "seconds": 90, "placement": "shelf"}

    (event,) = translated(track("film_watched", properties), example)

    assert (event["event_type"], event["item_id"], event["value"]) == ("item_used", 17, 90_000.0)
    assert event["placement"] == "shelf"
    # What a path reached is kept where it was.
    assert event["properties"] == {"film": {"id": 17, "title": "Heat"}, "seconds": 90}


def test_a_list_becomes_an_event_each(example: EventMapping) -> None:
    properties = {"shelf": {"name": "new", "films": [{"id": "a", "genre": "x"}, {"id": "b"}, "c"]}}

    events = translated(track("Shelf Shown", properties), example)

    assert [(e["event_id"], e["item_id"], e["position"], e["placement"]) for e in events] == [
        ("m1#1", "a", 1, "shelf"),
        ("m1#2", "b", 2, "shelf"),
        ("m1#3", "c", 3, "shelf"),
    ]
    assert events[0]["properties"]["genre"] == "x"


def test_what_is_set_becomes_a_field_or_a_property(example: EventMapping) -> None:
    (event,) = translated(track("Asked Afterwards", {"answer": 9}), example)

    assert (event["event_type"], event["value"]) == ("survey_answered", 9)
    assert event["properties"] == {"answer": 9, "survey": "nps"}


def test_an_ignored_event_is_put_aside_as_such(example: EventMapping) -> None:
    assert outcome(track("Debug Ping"), example) == ("ignored_event", "event")


def test_a_users_name_wins_over_the_default() -> None:
    own = mapping('[events."Product Viewed"]\ntype = "item_used"\nitem_id = "sku"')

    (event,) = translated(track("Product Viewed", {"product_id": "p", "sku": "s"}), own)

    assert (event["event_type"], event["item_id"]) == ("item_used", "s")


def test_a_path_that_leads_nowhere_leaves_the_field_to_the_contract(example: EventMapping) -> None:
    (event,) = translated(track("Film Starred", {"film": "Heat", "stars": 4}), example)

    assert "item_id" not in event


WRONG = {
    "no TOML": ("[events", ["not valid TOML"]),
    "another table": ("[event.x]\ntype = 'item_liked'", ["'event'", "did you mean 'events'"]),
    "not a table": ("events = 1", ["must be tables"]),
    "entry is a text": ('events.x = "item_liked"', ["must be a table"]),
    "no type": ("[events.x]\nitem_id = 'id'", ["needs a type", "item_liked"]),
    "unknown type": (
        "[events.x]\ntype = 'item_view'\nitem_id = 'id'",
        ["'item_view'", "did you mean 'item_viewed'", "survey_answered"],
    ),
    "unknown key": (
        "[events.x]\ntype = 'item_liked'\nitem = 'id'",
        ["'item'", "did you mean 'item", "recommendation_id"],
    ),
    "no item": ("[events.x]\ntype = 'item_liked'", ["item_liked", "needs item_id"]),
    "no value": ("[events.x]\ntype = 'item_rated'\nitem_id = 'id'", ["needs value"]),
    "no variant": (
        "[events.x]\ntype = 'experiment_exposed'\nexperiment_id = 'e'",
        ["needs variant"],
    ),
    "empty path": ("[events.x]\ntype = 'item_liked'\nitem_id = 'a..b'", ["item_id is 'a..b'"]),
    "path is a number": ("[events.x]\ntype = 'item_liked'\nitem_id = 1", ["item_id is 1"]),
    "scale is a text": (
        "[events.x]\ntype = 'item_used'\nitem_id = 'i'\nvalue = 'v'\nscale = '1'",
        ["scale is '1'"],
    ),
    "scale is infinite": (
        "[events.x]\ntype = 'item_used'\nitem_id = 'i'\nvalue = 'v'\nscale = inf",
        ["scale is inf"],
    ),
    "scale of nothing": (
        "[events.x]\ntype = 'item_used'\nitem_id = 'i'\nscale = 2",
        ["no value to apply it to"],
    ),
    "ignore is false": ("[events.x]\nignore = false", ["ignore is true"]),
    "ignore beside a type": ("[events.x]\nignore = true\ntype = 'item_liked'", ["stands alone"]),
    "set is a text": ("[events.x]\ntype = 'page_viewed'\nset = 'x'", ["set must be a table"]),
    "set to a list": ("[events.x]\ntype = 'page_viewed'\nset = {a = [1]}", ["a is [1]"]),
    "set what differs": (
        "[events.x]\ntype = 'page_viewed'\nset = {session_id = 's'}",
        ["differs from event to event"],
    ),
    "path and constant": (
        "[events.x]\ntype = 'page_viewed'\nplacement = 'p'\nset = {placement = 'home'}",
        ["placement both"],
    ),
    "twice": (
        "[events.'Film Seen']\nignore = true\n[events.film_seen]\nignore = true",
        ["film_seen", "the same name as", "Film Seen"],
    ),
    "no name": ("[events.'']\nignore = true", ["1 to 200 characters"]),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_named_with_its_file_its_entry_and_what_is_accepted(
    text: str, said: list[str]
) -> None:
    with pytest.raises(InvalidInputError) as raised:
        mapping(text)

    message = str(raised.value)
    assert message.startswith("mapping.toml")
    assert "\n" not in message or "TOML" in message
    assert [part for part in said if part not in message] == []


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_type_can_be_mapped_to(event_type: str) -> None:
    kind = EVENT_TYPES[event_type]
    lines = [f'type = "{event_type}"']
    lines += [f'{name} = "where.{name}"' for name in sorted(kind.required_fields)]
    own = mapping("[events.own]\n" + "\n".join(lines))
    found = dict.fromkeys(kind.required_fields, 4)

    (event,) = translated(track("own", {"where": found}), own)

    assert event["event_type"] == event_type
    assert {name: event[name] for name in found} == found


def test_a_file_that_is_not_there_or_no_text_is_one_clear_error(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.toml", "No such file"), (tmp_path, "directory")):
        with pytest.raises(InvalidInputError, match=reason) as raised:
            load_mapping(path)
        assert str(path) in str(raised.value)
        assert "FEEDBACK_EVENT_MAPPING" in str(raised.value)
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        load_mapping(tmp_path / "latin.toml")
