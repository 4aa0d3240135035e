from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from feedback_platform.errors import LakeUnavailableError
from feedback_platform.lake import keys
from feedback_platform.lake.batches import ErasedMeanwhileError, mark_erasure
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.ease import LinearScores
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.factorisation import Factorisation
from feedback_platform.learning.learned_tables import refresh_recommendations
from feedback_platform.learning.model_version import Lineage, ModelVersion
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.recommendations import RECOMMENDATIONS_SCHEMA
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.segment_tables import ASSIGNMENTS_FILE
from feedback_platform.learning.training import RECOMMENDER, RECOMMENDER_FILE, SEGMENTS
from feedback_platform.privacy.learned_models import erase_from_models
from feedback_platform_tests.learning.frames import scores_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
USERS, ITEMS = ("ada", "bob", "eve"), ("film", "song")


def model(users: tuple[str, ...] = USERS) -> Recommender:
    random = np.random.default_rng(1)
    count = len(users)
    history = sparse.csr_array(random.random((count, 2), dtype=np.float32))
    none = np.empty((0, 0), np.float32)
    by_items = LinearScores(users, ITEMS, history, random.random((2, 2), dtype=np.float32), none)
    between = random.random((count, count), dtype=np.float32)
    by_users = LinearScores(users, ITEMS, history, none, between)
    factors = Factorisation(
        users,
        ITEMS,
        random.random((count, 4), dtype=np.float32),
        random.random(count, dtype=np.float32),
        random.random((2, 4), dtype=np.float32),
        random.random(2, dtype=np.float32),
        random.random(2, dtype=np.float32),
    )
    popularity = Popularity(ITEMS, np.array([2, 1], np.float32))
    members = (
        Member("items", "linear", 0.5, by_items),
        Member("users", "linear", 0.3, by_users),
        Member("als", "factorisation", 0.2, factors),
        Member("popularity", "popularity", 0.1, popularity),
    )
    return Recommender(Ensemble(members), popularity, users)


def trained(lake: Lake, recommender: Recommender, hour: int = 0, through: int = 1) -> ModelVersion:
    return registry.register(
        lake,
        RECOMMENDER,
        files={RECOMMENDER_FILE: recommender.to_bytes()},
        trained_at=NOON.replace(hour=hour),
        trigger="manual",
        metrics={},
        parameters={},
        lineage=Lineage(data_through=through),
    )


def promoted(lake: Lake, version: ModelVersion) -> ModelVersion:
    champions.promote(lake, version.model, version.version, at=version.trained_at, reason="better")
    return version


def stored(lake: Lake, version: ModelVersion) -> Recommender:
    found = registry.read_intact(lake, version.model, version.version)
    return Recommender.from_bytes(registry.read_file(lake, found, RECOMMENDER_FILE))


def test_a_model_forgets_a_user_and_scores_the_others_by_what_is_left() -> None:
    whole, left = model(), model().without_users(["bob", "nobody"])

    assert left.user_ids == ("ada", "eve")
    assert all(member.model.without_users(["x"]) is not None for member in left.ensemble.members)
    for position in (0, 2, 3):
        before = whole.ensemble.members[position].model.scores(["ada", "eve"])
        assert np.array_equal(left.ensemble.members[position].model.scores(["ada", "eve"]), before)
    between = whole.ensemble.members[1].model
    assert isinstance(between, LinearScores)
    without_bob = between.user_weights[[0, 2]][:, [0, 2]] @ between.history[[0, 2]]
    scored = left.ensemble.members[1].model.scores(["ada", "eve"])
    assert np.allclose(scored, without_bob)
    assert b"bob" not in left.to_bytes()
    assert np.array_equal(left.scores(["bob"]), whole.popularity.scores(["bob"]))


def test_every_version_loses_them_and_the_champion_stays(lake: Lake) -> None:
    first = promoted(lake, trained(lake, model()))
    second = promoted(lake, trained(lake, model(), 1))
    candidate = trained(lake, model(), 2)

    outcome = erase_from_models(lake, {"bob"}, before=5)

    for version in (first, second, candidate):
        assert stored(lake, version).user_ids == ("ada", "eve")
    used = champions.in_use(lake, RECOMMENDER)
    assert used.version is not None
    assert (used.version.version, used.warning) == (second.version, None)
    assert (outcome.looked_at, outcome.rewritten, outcome.removed) == (3, 3, 3)
    again = erase_from_models(lake, {"bob"}, before=5)
    assert (again.rewritten, again.removed) == (0, 0)


def test_what_was_trained_after_the_erasure_may_know_who_came_back(lake: Lake) -> None:
    version = trained(lake, model(), through=5)

    erase_from_models(lake, {"bob"}, before=5)

    assert stored(lake, version).user_ids == USERS


def test_a_model_that_knows_nobody_else_is_given_up(lake: Lake) -> None:
    before = promoted(lake, trained(lake, model()))
    lonely = promoted(lake, trained(lake, model(("bob",)), 1))

    erase_from_models(lake, {"bob"}, before=5)

    assert registry.version_ids(lake, RECOMMENDER) == [before.version]
    used = champions.in_use(lake, RECOMMENDER)
    assert used.version is not None
    assert (used.version.version, used.warning) == (before.version, None)
    assert lake.list_keys(f"models/{RECOMMENDER}/{lonely.version}") == []


def test_a_version_that_nobody_can_use_is_given_up(lake: Lake) -> None:
    version = trained(lake, model())
    key = keys.model_file(RECOMMENDER, version.version, RECOMMENDER_FILE)
    lake.put(key, lake.get(key)[:-3], mode="overwrite")

    erase_from_models(lake, {"bob"}, before=5)

    assert lake.list_keys("models") == []


class TornLake(Lake):
    """A lake whose n-th write never comes."""

    left = 0

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        self.left -= 1
        if self.left == 0:
            raise LakeUnavailableError(key)
        super().put(key, data, mode=mode)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_the_champion_is_intact_wherever_its_rewriting_is_cut_short(lake: Lake, nth: int) -> None:
    version = promoted(lake, trained(lake, model()))
    known_before = registry.read_version(lake, RECOMMENDER, version.version)
    torn = TornLake(lake.url)
    torn.left = nth

    with pytest.raises(LakeUnavailableError):
        erase_from_models(torn, {"bob"}, before=5)

    used = champions.in_use(lake, RECOMMENDER)
    assert used.version is not None
    assert used.warning is None
    # So it is for whoever read the record before.
    assert registry.read_file(lake, known_before, RECOMMENDER_FILE)
    erase_from_models(lake, {"bob"}, before=5)
    assert stored(lake, version).user_ids == ("ada", "eve")
    assert registry.read_version(lake, RECOMMENDER, version.version).replacing == {}


def test_segments_and_lists_lose_their_rows(lake: Lake) -> None:
    segments = pl.DataFrame({"user_id": list(USERS), "segment_id": [0, 1, 1]})
    version = registry.register(
        lake,
        SEGMENTS,
        files={ASSIGNMENTS_FILE: parquet(segments)},
        trained_at=NOON,
        trigger="manual",
        metrics={},
        parameters={},
    )
    lists = pl.DataFrame(
        [(user, 1, "film", 1.0, "v", "r", 1.0) for user in USERS],
        schema=RECOMMENDATIONS_SCHEMA,
        orient="row",
    )
    lake.put(keys.recommendations(), parquet(lists), mode="create")

    outcome = erase_from_models(lake, {"bob"}, before=5)

    found = registry.read_intact(lake, SEGMENTS, version.version)
    left = pl.read_parquet(registry.read_file(lake, found, ASSIGNMENTS_FILE))
    assert left.equals(segments.filter(pl.col("user_id") != "bob"))
    assert pl.read_parquet(lake.get(keys.recommendations()))["user_id"].to_list() == ["ada", "eve"]
    assert (outcome.looked_at, outcome.removed) == (2, 2)


def test_lists_of_tables_from_before_an_erasure_are_not_kept(lake: Lake) -> None:
    through = mark_erasure(lake)
    items = pl.DataFrame({"item_id": ["film"], "title": ["Film"]})

    with pytest.raises(ErasedMeanwhileError):
        refresh_recommendations(lake, scores_of(), items, through=through - 1)

    assert lake.find(keys.recommendations()) is None
    refresh_recommendations(lake, scores_of(), items, through=through)


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
