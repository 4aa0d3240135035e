from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed, the_error
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running_experiments import LAYOUT, begin, users_of

FILE = PROJECT_DIR / "docs" / "flags.toml"
BY = ("--by", "person:ada", "--reason", "to try it")


@pytest.fixture
def applied(run: Run) -> None:
    parsed(run("flags", "apply", str(FILE), *BY, "--json"))


def test_before_the_first_flag_the_list_says_what_to_do(run: Run) -> None:
    finished = run("flags", "list")
    assert finished.output == "no flags yet; `feedback-platform flags apply FILE` brings them\n"
    assert parsed(run("flags", "list", "--json")) == []


def test_the_file_of_the_documentation_can_be_applied_again_and_again(run: Run) -> None:
    created = parsed(run("flags", "apply", str(FILE), *BY, "--json"))
    assert created["created"][:2] == ["list-layout", "highlighted-category"]
    again = parsed(run("flags", "apply", str(FILE), *BY, "--json"))
    assert again == {"created": [], "changed": [], "unchanged": created["created"], "kept": []}


@pytest.mark.usefixtures("applied")
def test_what_somebody_changed_since_is_kept_and_said(run: Run) -> None:
    run("flags", "set", "ratings", "--disable", *BY)
    finished = run("flags", "apply", str(FILE), *BY)
    assert "kept       ratings" in finished.output
    assert "--overwrite" in finished.output
    assert parsed(run("flags", "apply", str(FILE), *BY, "--overwrite", "--json"))["changed"] == [
        "ratings"
    ]


@pytest.mark.usefixtures("applied")
def test_the_list_shows_state_type_rules_revision_and_default(run: Run) -> None:
    run("flags", "set", "ratings", "--disable", *BY)
    lines = run("flags", "list").output.splitlines()
    assert lines[0].split() == ["flag", "state", "type", "rules", "revision", "default"]
    assert "ratings               disabled  boolean      0         2  on" in lines
    listed = {each["key"]: each for each in parsed(run("flags", "list", "--json"))}
    assert listed["list-layout"]["rules"][1] == {
        "name": "rollout",
        "variant": "cards",
        "percentage": 20.0,
    }


@pytest.mark.usefixtures("applied")
def test_a_flag_is_changed_and_its_history_says_who_why_and_what(run: Run) -> None:
    changed = parsed(
        run("flags", "set", "list-layout", "--default", "cards", "--rollout", "list=5%",
            "--by", "rule:low-ctr", "--reason", "CTR fell", "--json")
    )  # fmt: skip
    assert changed == {
        "flag": "list-layout",
        "outcome": "changed",
        "revision": 2,
        "state": "enabled",
        "default": "cards",
    }
    shown = parsed(run("flags", "show", "list-layout", "--json"))
    assert shown["rules"][1] == {"name": "rollout", "variant": "list", "percentage": 5.0}
    assert json.loads(run("flags", "show", "list-layout").output) == shown

    first, second = parsed(run("flags", "history", "list-layout", "--json"))
    assert (first["by"], first["before"]) == ("person:ada", None)
    assert (second["by"], second["reason"]) == ("rule:low-ctr", "CTR fell")
    assert (second["before"]["default"], second["after"]["default"]) == ("list", "cards")
    text = run("flags", "history", "list-layout").output
    assert "flag: none → defined" in text
    assert 'default: "list" → "cards"' in text
    before = '{"variant":"cards","percentage":20.0}'
    assert f"rule rollout: {before} → " + '{"variant":"list","percentage":5.0}' in text
    assert "old apps" not in text


@pytest.mark.usefixtures("applied")
def test_the_author_is_whoever_is_logged_in(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert run("flags", "set", "ratings", "--disable", "--reason", "x").code == 0
    assert parsed(run("flags", "history", "ratings", "--json"))[-1]["by"] == "person:grace"


@pytest.mark.usefixtures("applied")
def test_what_is_so_already_is_no_change(run: Run) -> None:
    finished = run("flags", "set", "ratings", "--enable", *BY)
    assert "was so already" in finished.output
    assert len(parsed(run("flags", "history", "ratings", "--json"))) == 1


@pytest.mark.usefixtures("applied")
def test_a_flag_that_is_removed_keeps_its_history(run: Run) -> None:
    assert parsed(run("flags", "remove", "ratings", *BY, "--json"))["outcome"] == "removed"
    assert "'ratings'" in the_error(run("flags", "show", "ratings"))
    assert parsed(run("flags", "history", "ratings", "--json"))[-1]["after"] is None
    assert "flag: defined → removed" in run("flags", "history", "ratings").output


@pytest.mark.usefixtures("applied")
def test_an_evaluation_says_value_variant_reason_and_what_the_server_knows(
    run: Run, tmp_path: Path
) -> None:
    published = tmp_path / "data" / "published" / "feedback.duckdb"
    publish_users(published, segments={"ada": "Comedy, Drama"}, opted_out=["eve"])

    def evaluated(**context: Any) -> Any:
        text = json.dumps(context)
        return parsed(run("flags", "evaluate", "highlighted-category", "--context", text, "--json"))

    assert evaluated(targetingKey="ada") == {
        "flag": "highlighted-category",
        "value": "comedy",
        "variant": "comedy",
        "reason": "TARGETING_MATCH",
        "revision": 1,
        "rule": "who likes to laugh",
        "segment": "Comedy, Drama",
        "personalisation": True,
    }
    eve = evaluated(targetingKey="eve", country="AT")
    assert (eve["value"], eve["reason"], eve["personalisation"]) == ("", "STATIC", False)
    plain = run("flags", "evaluate", "theme").output
    assert '{"colour":"#334155","rounded":false}' in plain

    names = {"none": "none", "comedy": "comedy"}
    definition = replace(
        LAYOUT,
        subject="highlighted-category",
        variants=names,
        control="none",
        split=dict.fromkeys(names, 50.0),
    )
    begin(Lake((tmp_path / "data" / "lake").as_uri()), definition)
    bob = evaluated(targetingKey=users_of(definition)["comedy"][0])
    assert (bob["value"], bob["reason"], bob["revision"]) == ("comedy", "SPLIT", 1)
    assert (bob["experiment"], bob["experiment_variant"]) == ("cards-at-home", "comedy")
    assert "experiment" not in evaluated(targetingKey="eve")


MISTAKES = [
    (("set", "ratings", *BY), "--default VARIANT"),
    (("set", "ratings", "--default", "maybe", *BY), "on, off"),
    (("set", "ratings", "--rollout", "on", *BY), "cards=20"),
    (("set", "ratings", "--rollout", "on=101", *BY), "cards=20"),
    (("set", "ratings", "--disable", "--by", "ada", "--reason", "x"), "person:ada"),
    (("set", "ratings", "--disable", "--reason", " "), "Say why"),
    (("set", "rating", "--disable", *BY), "'rating'"),
    (("remove", "rating", *BY), "'rating'"),
    (("show", "rating"), "'rating'"),
    (("history", "rating"), "'rating'"),
    (("evaluate", "rating"), "'rating'"),
    (("evaluate", "list-layout"), "targetingKey"),
    (("evaluate", "ratings", "--context", "{"), "not JSON"),
    (("evaluate", "ratings", "--context", "[]"), "no JSON object"),
    (("evaluate", "ratings", "--context", '{"targetingKey": 3}'), "targetingKey"),
    (("apply", "none.toml", *BY), "none.toml"),
]


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(("arguments", "words"), MISTAKES)
def test_a_mistake_is_one_line_that_says_what_to_do(
    run: Run, arguments: tuple[str, ...], words: str
) -> None:
    assert words in the_error(run("flags", *arguments))


@pytest.mark.usefixtures("applied")
def test_a_damaged_entry_is_warned_of_by_the_list_and_by_the_doctor(
    run: Run, tmp_path: Path
) -> None:
    lake = Lake((tmp_path / "data" / "lake").as_uri())
    lake.put(keys.flag_entry(2), b"{", mode="create")
    finished = run("flags", "list", "--json")
    assert finished.errors.startswith(f"Warning: {keys.flag_entry(2)} is damaged")
    assert len(json.loads(finished.output)) == 5
    doctor = run("doctor")
    assert doctor.code == 1
    (bad,) = [line for line in doctor.output.splitlines() if line.startswith("BAD")]
    assert bad.startswith("BAD  flags")
    assert keys.flag_entry(2) in bad
