"""Publications of a table with a base and layers that die, or that somebody reads meanwhile."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from feedback_platform.warehouse import layered, published, publishing
from feedback_platform.warehouse.connection import open_warehouse
from feedback_platform.warehouse.exporting import export
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.small_platform import Row, SmallPlatform, event

SCORES = "select user_id, item_id, feedback_score from feedback.feedback_scores order by all"
FILES = (
    "select partition, rows from published.files where \"table\" = 'feedback.feedback_scores' "
    "order by partition"
)
USERS = [f"u{number}" for number in range(20)]


class Died(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def transformed(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    """Twenty users have liked something, and nothing is published yet."""
    platform = SmallPlatform.at(tmp_path_factory.mktemp("transformed"), project)
    platform.land(
        *[event(f"e {user}", "item_liked", user_id=user, item_id="i1") for user in USERS],
        object_id="1",
    )
    platform.clean()
    platform.transform()
    return platform


@pytest.fixture
def scored(
    transformed: SmallPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallPlatform:
    """Their scores are published; as if twenty were many."""
    monkeypatch.setattr(layered, "SMALL_ROWS", 0)
    monkeypatch.setattr(layered, "SHARE_OF_BASE", 1)
    platform = replace(transformed, directory=tmp_path / "scored")
    shutil.copytree(transformed.directory, platform.directory)
    platform.publish()
    return platform


def rescore(platform: SmallPlatform, batch: int, users: list[str], gone: list[str]) -> None:
    """What a batch does to the scores of some users, without running all models."""
    with open_warehouse(platform.warehouse) as connection:
        connection.execute(
            "create temp table computed as "
            "select * replace ($1 / 100 as feedback_score, $1 as batch_sequence) "
            "from feedback.feedback_scores where user_id in (select unnest($2::varchar[]))",
            [batch, users],
        )
        connection.execute(
            "delete from feedback.feedback_scores where user_id in (select unnest($1::varchar[]))",
            [[*users, *gone]],
        )
        connection.execute("insert into feedback.feedback_scores from computed")
        connection.execute(
            "insert into interaction.changes by name select unnest($1::varchar[]) as user_id, "
            "'i1' as item_id, 'e' as event_id, 'item_liked' as event_type, "
            "date '2026-03-01' as day, true as is_leaving, $2 as batch_sequence",
            [[*users, *gone], batch],
        )
        connection.execute(
            "update pipeline.state set staged_through = $1, completed_through = $1", [batch]
        )


def files(platform: SmallPlatform) -> list[Row]:
    """The files of the scores, in the state that is in place, whoever reads an earlier one."""
    return published.query(platform.published, FILES).rows()


def stored(platform: SmallPlatform) -> list[Row]:
    with open_warehouse(platform.warehouse) as connection:
        return connection.execute(SCORES).fetchall()


def dies(*_: Any, **__: Any) -> None:
    raise Died


def dies_at(call: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, until it is called that often."""
    calls = iter(range(call))

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if next(calls, None) is None:
            raise Died
        return function(*arguments, **named)

    return wrapped


def test_a_publication_that_dies_anywhere_leaves_a_whole_state(
    scored: SmallPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths: list[tuple[Any, str, Callable[..., Any]]] = [
        (publishing, "export", dies_at(0, export)),
        (publishing, "export", dies_at(12, export)),
        (publishing, "copy_to_lake", dies),
        (publishing, "write_database", dies),
        (publishing, "_sync", dies_at(2, publishing._sync)),
        (Path, "replace", dies),
    ]
    for batch, (owner, name, death) in enumerate(deaths, start=2):
        before = scored.query(SCORES)
        rescore(scored, batch, USERS[batch : batch + 3], gone=[USERS[-batch]])
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, death)
            with pytest.raises(Died):
                scored.publish()
        assert scored.query(SCORES) == before, name

        if batch % 2:  # or the next batch finds what none has published
            scored.publish()
            assert scored.query(SCORES) == stored(scored), name
    scored.publish()
    assert scored.query(SCORES) == stored(scored)
    assert len(files(scored)) > 1


def test_a_publication_that_was_not_recorded_is_not_built_upon(
    scored: SmallPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.replace

    def dies_behind(path: Path, target: Path) -> None:
        rename(path, target)
        raise Died

    rescore(scored, 2, USERS[:3], gone=[USERS[5]])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies_behind)
        with pytest.raises(Died):
            scored.publish()
    assert scored.query(SCORES) == stored(scored)
    rescore(scored, 3, USERS[1:4], gone=[USERS[6]])
    scored.publish()

    assert scored.query(SCORES) == stored(scored)
    assert files(scored) == [("base", 18)]


def test_a_file_that_is_missing_is_no_base_for_others(scored: SmallPlatform) -> None:
    (name,) = scored.query(
        "select name from published.files where \"table\" = 'feedback.feedback_scores'"
    )[0]
    (scored.published.parent / "tables" / name).unlink()
    rescore(scored, 2, USERS[:3], gone=[])
    scored.publish()

    assert scored.query(SCORES) == stored(scored)


def test_who_reads_base_and_layers_keeps_them_while_they_are_merged(scored: SmallPlatform) -> None:
    rescore(scored, 2, USERS[:3], gone=[USERS[5]])
    scored.publish()
    assert files(scored) == [("base", 20), ("layer-000000000002", 4)]
    before = stored(scored)
    for path in scored.published.parent.rglob("*.parquet"):
        os.utime(path, (time.time() - 7200,) * 2)  # nothing new has come for hours
    with duckdb.connect(scored.published, read_only=True) as reader:
        rescore(scored, 3, USERS[2:7], gone=[])
        scored.publish()
        assert files(scored) == [("base", 20), ("layer-000000000003", 7)]
        rescore(scored, 4, USERS, gone=[])
        scored.publish()
        assert files(scored) == [("base", 19)]

        assert reader.execute(SCORES).fetchall() == before
    assert scored.query(SCORES) == stored(scored)
