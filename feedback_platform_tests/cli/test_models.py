from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed, the_error
from feedback_platform_tests.learning.registered import MODEL, NOON, promote, register, tear

NOW = datetime.now(UTC)
CHAMPION = "select version from ml.model_versions where model = ? and status = 'champion'"
LISTED = "select distinct model_version from ml.recommendations"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "data" / "lake").as_uri())


def test_before_the_first_training_the_list_says_what_to_do(run: Run) -> None:
    finished = run("models", "list", "--model", "recommender")

    assert finished.output == "recommender: no version yet; run `feedback-platform train`\n"
    assert parsed(run("models", "list", "--json")) == []


def test_the_list_shows_the_newest_first_with_figure_status_and_reason(
    run: Run, lake: Lake
) -> None:
    first, second, third = (register(lake, hour=hour) for hour in range(3))
    promote(lake, first, "beats popularity")
    promote(lake, second, "better yet")
    champions.reject(lake, MODEL, third.version, at=NOON, reason="may be worse")

    finished = run("models", "list", "--model", "recommender")

    assert (finished.code, finished.errors) == (0, "")
    assert finished.output.splitlines() == [
        "recommender",
        "             version                     trained (UTC)     trigger   ndcg_at_10",
        f"  rejected   {third.version}  2026-03-01 14:00  schedule  0.1300",
        "             may be worse",
        f"  champion   {second.version}  2026-03-01 13:00  schedule  0.1300",
        "             better yet",
        f"  retired    {first.version}  2026-03-01 12:00  schedule  0.1300",
        "             beats popularity",
    ]


def test_the_list_as_json_has_all_that_is_known(run: Run, lake: Lake) -> None:
    decision = {"is_promoted": False, "findings": []}
    version = register(lake, decision=decision)

    (row,) = parsed(run("models", "list", "--json"))

    assert (row["model"], row["version"], row["status"]) == (MODEL, version.version, "candidate")
    assert row["metrics"] == {"ndcg_at_10": 0.13, "silhouette": None}
    assert (row["parameters"], row["decision"]) == ({"epochs": 15}, decision)
    assert (row["data_through"], row["code_version"]) == (7, "0.1.0+abc")


def test_the_list_warns_of_a_torn_champion_and_so_does_the_doctor(run: Run, lake: Lake) -> None:
    first, second = register(lake), register(lake, hour=1)
    promote(lake, first)
    promote(lake, second)
    tear(lake, second)

    finished = run("models", "list")

    assert finished.code == 0
    (warning,) = finished.errors.splitlines()
    assert warning.startswith(f"Warning: {second.version} is unusable: its file model.npz is")
    assert warning.endswith(f"In use instead is {first.version}, the last good one.")
    doctor = run("doctor")
    assert doctor.code == 1
    (bad,) = [line for line in doctor.output.splitlines() if line.startswith("BAD")]
    assert bad.startswith("BAD  models")
    assert first.version in bad


def test_where_nothing_is_published_there_is_nobody_to_recommend_to(run: Run, lake: Lake) -> None:
    version = register(lake)

    line = the_error(run("models", "promote", MODEL, version.version, "--reason", "x"))

    assert "Nothing is published" in line
    assert "feedback-platform process" in line
    assert champions.history(lake, MODEL) == []


@pytest.mark.slow
def test_a_model_is_rolled_back_and_promoted_again(run: Run, lake: Lake) -> None:
    parsed(run("demo", "--users", "100", "--days", "3", "--json"))
    trained = champions.champion(lake, MODEL)
    assert trained is not None
    content = registry.read_file(lake, trained, "recommender.npz")
    promote(lake, newer := register(lake, trained_at=NOW, files={"recommender.npz": content}))
    first, second = trained.version, newer.version
    rollback = ("models", "rollback", MODEL, "--from", second, "--reason", "complaints", "--json")
    promoting = ("models", "promote", MODEL, second, "--reason", "it was not the model", "--json")

    rolled_back, again = parsed(run(*rollback)), parsed(run(*rollback))

    assert (rolled_back["champion"], rolled_back["before"]) == (first, second)
    assert rolled_back["outcome"] == "is the champion"
    assert (again["champion"], again["outcome"]) == (first, "was the champion already")
    assert rolled_back["recommendations"] == again["recommendations"] > 0
    assert published(rolled_back["published"]) == (first, first)

    promoted = parsed(run(*promoting))

    assert (promoted["champion"], promoted["before"]) == (second, first)
    assert published(promoted["published"]) == (second, second)
    assert len(champions.history(lake, MODEL)) == 4

    assert "Say why, with --reason" in the_error(run("models", "rollback", MODEL, "--reason", " "))
    assert "did you mean" in the_error(
        run("models", "promote", MODEL, f"{second}x", "--reason", "x")
    )
    # The lists are made of all models.
    pointer = lake.get("models/segments/champion.json")
    lake.put("models/segments/champion.json", b"{", mode="overwrite")
    line = the_error(run("models", "rollback", MODEL, "--reason", "complaints"))
    assert f"{first} is the champion of the model {MODEL} now, but what it makes is not" in line
    assert "champion.json is damaged" in line
    assert line.endswith(f"feedback-platform models promote {MODEL} {first} --reason …")
    lake.put("models/segments/champion.json", pointer, mode="overwrite")

    tear(lake, newer, "recommender.npz")
    assert "its file recommender.npz is missing" in the_error(run(*promoting[:-1]))


def published(path: str) -> tuple[str, str]:
    """Who is the champion by the published table, and who made the published lists."""
    with duckdb.connect(path, read_only=True) as connection:
        (champion,) = connection.execute(CHAMPION, [MODEL]).fetchall()
        (listed,) = connection.execute(LISTED).fetchall()
    return champion[0], listed[0]
