from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from feedback_platform.adjustment.rules.adjusting import Adjuster
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.adjustment.rules.ledger import Ledger
from feedback_platform.experiments.definition import Lever
from feedback_platform.learning import champions
from feedback_platform.learning.online.publication import pointed_lists
from feedback_platform.learning.training import RECOMMENDER
from feedback_platform.orchestration import jobs
from feedback_platform.orchestration.model_checks import champions_are_intact
from feedback_platform.orchestration.runs import RunFailedError
from feedback_platform_tests.adjustment.rules.switches import NOON, observed, rule, sample
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.journeys.reader import reader
from feedback_platform_tests.learning.registered import tear
from feedback_platform_tests.serving.running import running_server
from feedback_platform_tests.serving.running_experiments import begin, end, of_lists, users_of
from feedback_platform_tests.waiting import until

# In short: orchestration/test_champion_choice.py and learning/test_learned_tables.py.
pytestmark = pytest.mark.slow

CHAMPION = """
    select version from ml.model_versions where model = 'recommender' and status = 'champion'
"""
# Whose lists there are, who should have made them, and how many there are of each length.
STATE = f"""
    select
        (select list(distinct model_version) from ml.recommendations),
        ({CHAMPION}),
        (select count(*) from ml.recommendations),
        (select max(rank) from ml.recommendations)
"""


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A small product whose models were trained twice; whoever changes it works on a copy."""
    installation = Installation(tmp_path_factory.mktemp("twice") / "data")
    installation.simulate(users=100, days=4)
    installation.process()
    installation.train(trigger="initial")
    installation.train(trigger="schedule")
    return installation


@pytest.fixture
def copy(twice: Installation, tmp_path: Path) -> Installation:
    return twice.copy_to(tmp_path / "data")


def publish_models(installation: Installation, **champion: Any) -> None:
    installation.run(jobs.PUBLISH_MODELS, {"ops": {"models__lists": {"config": champion}}})


def listed_by(installation: Installation) -> list[str]:
    found = installation.query("select distinct model_version from ml.recommendations")
    return found["model_version"].to_list()


def versions(installation: Installation) -> list[dict[str, Any]]:
    """The published versions of the recommender, oldest first."""
    return installation.query(
        "from ml.model_versions where model = 'recommender' order by version"
    ).to_dicts()


def test_after_a_rollback_the_published_lists_bear_the_earlier_version(
    copy: Installation,
) -> None:
    first, second = versions(copy)
    assert (first["status"], second["status"]) == ("retired", "champion")
    assert listed_by(copy) == [second["version"]]

    publish_models(copy, roll_back=True, reason="complaints")

    earlier, later = versions(copy)
    assert listed_by(copy) == [first["version"]]
    assert (earlier["status"], later["status"]) == ("champion", "retired")
    assert earlier["reason"] == f"Rolled back from {second['version']}: complaints"
    assert earlier["trained_at"] == first["trained_at"]


def test_a_version_that_an_experiment_names_has_lists_beside_the_champions_while_it_runs(
    copy: Installation,
) -> None:
    first, second = (each["version"] for each in versions(copy))
    definition = of_lists(Lever.MODEL, RECOMMENDER, "champion", first)
    begin(copy.lake, definition)
    publish_models(copy)

    assert listed_by(copy) == [second]
    pointer = pointed_lists(copy.lake)
    assert pointer is not None
    assert set(pointer.versions) == {first}
    with running_server(copy.settings.data_dir) as server:
        for variant, users in users_of(definition).items():
            content = server.ask("GET", f"/v1/recommendations/{users[0]}").content
            assert content["model_version"] == {"one": second, "two": first}[variant]

    end(copy.lake, definition.key)
    publish_models(copy)
    after = pointed_lists(copy.lake)
    assert after is not None
    assert after.versions == {}


def test_nobody_is_listed_what_a_rule_has_hidden(copy: Installation) -> None:
    of_labs = """
        select count(*) from ml.recommendations
        where item_id in (
            select item_id from interaction.items where list_contains(categories, 'labs')
        )
    """
    assert copy.query(of_labs).item() > 0
    hiding = rule(scope={"category": "labs"}, action=Action(Kind.HIDE_CATEGORY, "{category}"))
    ledger = Ledger(copy.lake)
    breach = observed([(hiding, sample(20, 1000))], ledger.book, place={"category": "labs"})
    Adjuster(ledger, {}, lambda: NOON).act(breach)

    publish_models(copy)

    assert copy.query(of_labs).item() == 0
    assert copy.query("select count(*) from ml.recommendations").item() > 0


def test_the_table_tells_why_each_version_is_what_it_is(twice: Installation) -> None:
    first, second = versions(twice)

    assert first["compared_with"] is None
    assert second["compared_with"] == first["version"]
    through = twice.query("select through from published.state").item()
    assert first["data_through"] == second["data_through"] == through
    assert first["code_version"] == second["code_version"]
    assert "popularity_bias" in second["decision"]


def test_a_rollback_of_the_segments_brings_back_the_earlier_groups(copy: Installation) -> None:
    def groups() -> list[str]:
        found = copy.query(
            "select model_version from ml.user_segments "
            "union select model_version from ml.segment_profiles"
        )
        return found["model_version"].to_list()

    (newer,) = groups()
    publish_models(copy, model="segments", roll_back=True, reason="one group too many")

    (older,) = groups()
    assert older < newer


def test_a_choice_that_leads_nowhere_fails_in_words_and_changes_nothing(
    copy: Installation,
) -> None:
    before = copy.tables()

    with pytest.raises(RunFailedError, match="has no version 'nosuch'"):
        publish_models(copy, promote="nosuch", reason="x")

    assert all(before[name].equals(rows) for name, rows in copy.tables().items())


def test_a_torn_champion_is_replaced_by_the_last_good_one_and_a_check_says_so(
    copy: Installation,
) -> None:
    first, second = versions(copy)
    champion = champions.champion(copy.lake, RECOMMENDER)
    assert champion is not None
    tear(copy.lake, champion, "recommender.npz")

    publish_models(copy)

    assert listed_by(copy) == [first["version"]]
    check = champions_are_intact(platform=copy.platform)
    assert isinstance(check, dg.AssetCheckResult)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    good, torn = versions(copy)
    assert (good["status"], torn["status"]) == ("champion", "retired")
    assert torn["reason"].startswith("Unusable: its file recommender.npz is missing.")
    assert second["reason"] in torn["reason"]


def test_readers_and_the_api_see_only_whole_states_while_champions_change(
    copy: Installation, tmp_path: Path
) -> None:
    first, second = (row["version"] for row in versions(copy))
    publish_models(copy)

    with asking(copy) as answered, reader(copy, STATE, tmp_path / "stop") as seen:
        for change, version in (
            ({"roll_back": True, "reason": "complaints"}, first),
            ({"promote": second, "reason": "it was not the model"}, second),
            ({"roll_back_from": second, "reason": "it was"}, first),
        ):
            publish_models(copy, **change)
            until(lambda: answered[-1] == version)  # noqa: B023 - asked at once

    assert [(listed, champion) for listed, champion, _, _ in seen] == [
        ([version], version) for version in (second, first, second, first)
    ]
    assert answered == [second, first, second, first]


@contextmanager
def asking(installation: Installation) -> Iterator[list[str]]:
    """Ask the API for lists without a pause; the list holds whose they were, each change once.

    An answer that is none fails the test.
    """
    answered: list[str] = []
    failures: list[Any] = []
    is_over = threading.Event()

    with running_server(installation.settings.data_dir) as server:

        def ask() -> None:
            while not is_over.is_set():
                answer = server.ask("GET", "/v1/recommendations/somebody?log=false")
                if answer.status != 200 or not answer.content["items"]:
                    failures.append(answer)
                elif answered[-1:] != [answer.content["model_version"]]:
                    answered.append(answer.content["model_version"])

        until(lambda: server.ask("GET", "/v1/recommendations/somebody").status == 200)
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            until(lambda: bool(answered))
            yield answered
        finally:
            is_over.set()
            thread.join(60)
    assert failures == []
