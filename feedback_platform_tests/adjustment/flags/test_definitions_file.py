"""What the definitions file accepts, and what it says of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from feedback_platform.adjustment.flags.conditions import OPERATORS
from feedback_platform.adjustment.flags.definition import as_table
from feedback_platform.adjustment.flags.definitions_file import load_definitions, parse_definitions
from feedback_platform.adjustment.flags.parsing import parse_flag
from feedback_platform.errors import InvalidInputError
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.adjustment.flags.definitions import flag

FILE = """
[flags.layout]
description = "How the list looks."
type = "string"
default = "list"
variants = { list = "list", cards = "cards" }

[[flags.layout.rules]]
name = "fans in Austria"
when = [
  { attribute = "segment", in = ["fans"] },
  { attribute = "country", equals = "AT" },
]
variant = "cards"

[[flags.layout.rules]]
name = "half of the rest"
split = { cards = 50, list = 50 }
percentage = 20
seed = "spring"
hash_version = 1

[flags.limit]
type = "number"
default = "few"
variants = { few = 5, many = 7.5 }
"""


def test_a_file_defines_flags() -> None:
    flags = parse_definitions(FILE, origin="flags.toml")
    assert list(flags) == ["layout", "limit"]
    first, second = flags["layout"].rules
    assert [each.attribute for each in first.when] == ["segment", "country"]
    assert (second.split, second.percentage) == ({"cards": 50, "list": 50}, 20)
    assert (first.seed, second.seed, second.hash_version) == ("layout", "spring", 1)


def test_one_number_with_a_point_makes_all_of_them_floats() -> None:
    limits = parse_definitions(FILE, origin="flags.toml")["limit"].variants
    assert orjson.dumps(limits) == b'{"few":5.0,"many":7.5}'
    table = {"type": "number", "default": "few", "variants": {"few": 5, "many": 7}}
    whole = parse_flag("limit", table, origin="flags.toml").variants
    assert orjson.dumps(whole) == b'{"few":5,"many":7}'


def test_what_was_read_is_written_so_that_it_is_read_the_same() -> None:
    for key, each in parse_definitions(FILE, origin="flags.toml").items():
        table = orjson.loads(orjson.dumps(as_table(each)))
        assert parse_flag(key, table, origin="again") == each


RULE: dict[str, Any] = {"variant": "cards"}
MISTAKES: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "bool"}, ["type is 'bool'", "boolean or string or number or object"]),
    ({"default": "table"}, ["default is 'table'", "list or cards or grid"]),
    ({"default": None}, ["default is missing"]),
    ({"variants": {}}, ["variants is {}", "1 to 100"]),
    ({"variants": None}, ["variants is missing"]),
    ({"variants": {"list": 1}}, ["variant list is 1", "a text"]),
    ({"variants": {"": "list"}}, ["a variant is called ''"]),
    ({"state": "on"}, ["state is 'on'", "enabled or disabled"]),
    ({"description": 3}, ["description is 3"]),
    ({"defalt": "list"}, ["unknown key 'defalt'", "did you mean 'default'"]),
    ({"rules": RULE}, ["rules is", "a list"]),
    ({"rules": [RULE]}, ["rule 1: name is missing"]),
    ({"rules": [{"name": "a"}]}, ["rule 1 (a)", "either variant or split"]),
    ({"rules": [{"name": "a", "variant": "x"}]}, ["rule 1 (a): variant is 'x'"]),
    ({"rules": [{"name": "a", **RULE}] * 2}, ["two rules are called 'a'"]),
    ({"rules": [{"name": "a", **RULE, "percentage": 101}]}, ["percentage is 101", "0 to 100"]),
    ({"rules": [{"name": "a", **RULE, "percentage": True}]}, ["percentage is True"]),
    ({"rules": [{"name": "a", "split": {"cards": 50}}]}, ["add up to 50", "100"]),
    ({"rules": [{"name": "a", "split": {}}]}, ["split is {}"]),
    ({"rules": [{"name": "a", **RULE, "hash_version": 3}]}, ["hash_version is 3", "1 or 2"]),
    ({"rules": [{"name": "a", **RULE, "when": [{"equals": 1}]}]}, ["attribute is missing"]),
    ({"rules": [{"name": "a", **RULE, "when": [{"attribute": "x"}]}]}, ["condition 1", "one of"]),
    (
        {"rules": [{"name": "a", **RULE, "when": [{"attribute": "x", "in": "AT"}]}]},
        ["flag layout, rule 1 (a), condition 1: in is 'AT'", "a list of texts"],
    ),
    (
        {"rules": [{"name": "a", **RULE, "when": [{"attribute": "x", "version_below": "x"}]}]},
        ["version_below is 'x'", "2.10.0"],
    ),
]


@pytest.mark.parametrize(("entries", "words"), MISTAKES)
def test_a_mistake_is_named_with_its_place_and_what_is_accepted(
    entries: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        flag(**entries)
    for word in ["flags.toml: flag layout", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("key", ["", "a/b", "a b", "-a", "ä", "x" * 101])
def test_a_key_stands_in_a_path_as_it_is(key: str) -> None:
    with pytest.raises(InvalidInputError, match="letters, digits"):
        flag(key=key)


@pytest.mark.parametrize("value", [{"a": float("nan")}, {"a": 2**53}, {"a": object()}, [], "x"])
def test_an_object_has_what_json_can_say(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="variant on is"):
        flag(type="object", default="on", variants={"on": value})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("flags = 3", "flags is 3"),
        ("[flag.x]", "unknown table 'flag'"),
        ("[flags", "not valid TOML"),
        ("[flags]\nx = 3", "flag x is 3"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, word: str) -> None:
    with pytest.raises(InvalidInputError, match=r"flags\.toml") as caught:
        parse_definitions(text, origin="flags.toml")
    assert word in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none\.toml cannot be read"):
        load_definitions(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xff")
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        load_definitions(tmp_path / "latin.toml")


def test_the_example_of_the_documentation_is_accepted() -> None:
    page = (PROJECT_DIR / "docs" / "flags.md").read_text("utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert parse_definitions(example, origin="docs/flags.md").keys() == {"list-layout"}


def test_every_operator_is_documented() -> None:
    page = (PROJECT_DIR / "docs" / "flags.md").read_text("utf-8")
    assert [name for name in OPERATORS if f"`{name}`" not in page] == []
