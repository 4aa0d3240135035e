from __future__ import annotations

import json
from typing import Any

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning import sources
from feedback_platform.learning.factorisation import FactorisationParameters

EVERY_ALGORITHM = (
    sources.item_ease(150),
    sources.user_ease(600),
    sources.als(48, 40, 5, 0.25, restarts=3),
    sources.sequence_ease(1000, nearness=3, reach=10),
    sources.sequence_als(32, 60, 5, stretch=40),
    sources.spark_als(32, 0.1, 5),
    sources.lightfm("bpr", FactorisationParameters(loss="bpr", epochs=40)),
    sources.popularity(),
    sources.popularity(30),
)


@pytest.mark.parametrize("source", EVERY_ALGORITHM, ids=lambda source: source.name)
def test_a_source_is_read_back_from_its_description_as_json(source: sources.Source) -> None:
    stored = json.loads(json.dumps(source.description))
    assert sources.source_of(stored) == source


def test_a_description_of_a_release_without_a_parameter_is_read() -> None:
    source = sources.als(32, 40, 5)
    earlier = {name: value for name, value in source.description.items() if name != "restarts"}
    assert sources.source_of(earlier) == source


def test_there_is_a_case_for_every_algorithm() -> None:
    assert {source.algorithm for source in EVERY_ALGORITHM} == set(sources.ALGORITHMS)
    for library in (sources.DEFAULT_SOURCES, sources.SPARK_SOURCES):
        assert len({source.name for source in library}) == len(library)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"algorithm": "oracle"},
            "one of item-ease, user-ease, sequence-ease, als, sequence-als, spark-als, lightfm",
        ),
        ({"name": 3}, "a name and an algorithm"),
        ({"depth": 3}, "popularity takes half_life_days"),
        ({"half_life_days": "long"}, "a parameter of another type"),
        ({"half_life_days": -1}, "half_life_days cannot be -1"),
    ],
)
def test_a_description_that_means_nothing_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        sources.source_of({**sources.popularity(30).description, **changes})


def test_sources_out_of_reach_are_left_out() -> None:
    few = sources.within_reach(sources.DEFAULT_SOURCES, 100, 1_000_000)
    assert not {source.algorithm for source in few} & {"item-ease", "sequence-ease"}
    assert {source.algorithm for source in few} > {"user-ease", "sequence-als"}
    many = sources.within_reach(sources.DEFAULT_SOURCES, 1_000_000, 100)
    assert not {source.algorithm for source in many} & {"user-ease", "sequence-als"}
    assert {source.algorithm for source in many} > {"item-ease", "sequence-ease", "als"}
    assert sources.within_reach(sources.DEFAULT_SOURCES, 10, 10) == sources.DEFAULT_SOURCES
    with pytest.raises(InvalidInputError, match="No candidate source"):
        sources.within_reach((sources.item_ease(1),), 10, 1_000_000)
    with pytest.raises(InvalidInputError, match="the same name"):
        sources.within_reach((sources.popularity(), sources.popularity()), 10, 10)
