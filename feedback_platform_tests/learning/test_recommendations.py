from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.candidate_ranker import CandidateRanker
from feedback_platform.learning.ease import LinearScores
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.ranker import RankerParameters, fit_ranker
from feedback_platform.learning.ranker_history import history
from feedback_platform.learning.ranking import pair_matrix
from feedback_platform.learning.recipe import Recipe
from feedback_platform.learning.recommendations import RECOMMENDATIONS_SCHEMA, recommend
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.sources import TrainingInput, popularity
from feedback_platform_tests.learning.few_sources import FEW_SOURCES
from feedback_platform_tests.learning.frames import (
    NO_ITEMS,
    NO_USERS,
    items_of,
    scores_of,
    two_tastes,
)
from feedback_platform_tests.learning.ranker_frames import chains, drawn_examples, shown_of

# Ann's scores of a, b, c and d are 1, 6, 2 and 3, before they are standardised.
ANN = LinearScores(
    user_ids=("ann",),
    item_ids=("a", "b", "c", "d"),
    history=sparse.csr_array(np.array([[1, 0, 0, 0]], dtype=np.float32)),
    item_weights=np.array([[1, 6, 2, 3]] + [[0] * 4] * 3, dtype=np.float32),
    user_weights=np.empty((0, 0), dtype=np.float32),
)
MODEL = Recommender(
    Ensemble((Member("one", "linear", 1, ANN),)),
    Popularity(ANN.item_ids, np.array([1, 0, 5, 2], dtype=np.float32)),
    ("ann",),
)
WEIGHTS = np.arange(40, 0, -1, dtype=np.float32)
# Others like a and b together, and c and d.
OTHERS = (
    *[("bob", item, 0.9, 1, 1) for item in "ab"],
    *[("cat", item, 0.9, 1, 1) for item in "cd"],
)
ITEMS = items_of(("a", "Alpha", []), ("b", "Beta", []), ("c", None, []), ("d", "Delta", []))


def test_a_known_user_gets_the_models_order_with_the_like_of_the_same_people_as_reason() -> None:
    scores = scores_of(("ann", "a", 0.9, 1, 1), ("ann", "c", 0.8, 1, 1), *OTHERS)
    lists = recommend(MODEL, scores, ITEMS, model_version="v1", user_ids=["ann"])
    assert lists.schema == pl.Schema(RECOMMENDATIONS_SCHEMA)
    assert lists.select("user_id", "rank", "item_id", "reason", "model_version").rows() == [
        ("ann", 1, "b", "Because you liked Alpha", "v1"),
        ("ann", 2, "d", "Because you liked c", "v1"),
    ]
    # Mean 3, standard deviation √3.5.
    assert lists["score"].to_list() == pytest.approx([3 / 3.5**0.5, 0], abs=1e-6)


def test_dismissed_items_are_left_out_and_give_no_reason() -> None:
    scores = scores_of(("ann", "a", 0.9, 1, 1), ("ann", "c", 0.0, 1, 1), *OTHERS)
    lists = recommend(MODEL, scores, ITEMS, model_version="v1", user_ids=["ann"])
    assert lists.select("item_id", "reason").rows() == [
        ("b", "Because you liked Alpha"),
        ("d", "Fits what you liked"),  # nobody who likes d likes a
    ]


def test_exploration_raises_an_item_says_so_and_tells_every_probability() -> None:
    items = [f"i{number:02d}" for number in range(40)]
    model = Recommender(
        Ensemble((Member("one", "popularity", 1, Popularity(tuple(items), WEIGHTS)),)),
        Popularity(tuple(items), WEIGHTS),
        tuple(f"u{number:03d}" for number in range(300)),
    )
    scores = scores_of(*[(user, "i39", 0.9, 1, 1) for user in model.user_ids])

    def lists(version: str, share: float) -> pl.DataFrame:
        return recommend(
            model,
            scores,
            NO_ITEMS,
            model_version=version,
            user_ids=[*model.user_ids, "new"],
            exploration=Exploration(share),
            n=10,
        )

    plain, found = lists("v1", 0), lists("v1", 0.05)
    assert plain["propensity"].unique().to_list() == [1]
    # A place in twenty is drawn; of what it gets nine in 38 are from the list and leave another.
    same = plain.join(found, on=["user_id", "rank", "item_id"], how="semi").height
    assert same / plain.height == pytest.approx(1 - 0.05 * (1 + 9 / 38), abs=0.02)
    raised = found.filter(pl.col("reason") == "Shown to find out whether you like it")
    assert 100 < raised["user_id"].n_unique() < 200
    assert raised.filter(pl.col("rank") == 1).height > 0
    # One of 38 others, when the place is drawn; of the first ten items also when their own is.
    known = raised.filter(pl.col("user_id") != "new")["propensity"].unique().sort()
    assert known.to_list() == pytest.approx([0.05 / 38, 0.1 / 38])
    # It keeps the score that the model gave it.
    of_item = plain.filter(pl.col("user_id") == "new").select("item_id", "score")
    both = found.filter(pl.col("user_id") == "new").join(of_item, on="item_id", suffix="_before")
    assert both["score"].to_list() == both["score_before"].to_list()
    assert lists("v1", 0.05).equals(found)
    # Which version it is makes no difference: equal models make equal lists.
    assert lists("v2", 0.05)["item_id"].equals(found["item_id"])


def test_a_cold_user_gets_what_is_popular_but_not_what_nobody_likes() -> None:
    scores = scores_of(("zoe", "d", 0.1, 1, 1))
    lists = recommend(MODEL, scores, ITEMS, model_version="v1", user_ids=["zoe", "new"])
    assert lists.select("user_id", "rank", "item_id", "score").rows() == [
        ("new", 1, "c", 5),
        ("new", 2, "d", 2),
        ("new", 3, "a", 1),
        ("zoe", 1, "c", 5),
        ("zoe", 2, "a", 1),
    ]
    assert set(lists["reason"]) == {"Popular with everybody"}


def test_nobody_is_shown_what_is_unavailable_but_it_may_be_a_reason() -> None:
    scores = scores_of(("ann", "a", 0.9, 1, 1), ("new", "b", 0.9, 1, 1), *OTHERS)

    def listed(*unavailable: str) -> list[tuple[str, str, str]]:
        lists = recommend(
            MODEL,
            scores,
            ITEMS,
            model_version="v1",
            user_ids=["ann", "new"],
            unavailable=unavailable,
        )
        return lists.select("user_id", "item_id", "reason").rows()

    assert listed("a", "d", "gone") == [
        ("ann", "b", "Because you liked Alpha"),
        ("ann", "c", "Fits what you liked"),
        ("new", "c", "Popular with everybody"),
    ]
    assert listed("a", "b", "c", "d") == []


def test_a_known_user_without_a_positive_score_left_is_treated_as_new() -> None:
    scores = scores_of(("ann", "a", 0.1, 1, 1))
    lists = recommend(MODEL, scores, ITEMS, model_version="v1")
    assert lists["item_id"].to_list() == ["c", "d"]
    assert set(lists["reason"]) == {"Popular with everybody"}


def test_nobody_to_recommend_to_is_an_empty_table() -> None:
    lists = recommend(MODEL, scores_of(), ITEMS, model_version="v1")
    assert lists.is_empty()
    assert lists.schema == pl.Schema(RECOMMENDATIONS_SCHEMA)


PAIRS = st.dictionaries(
    st.tuples(st.sampled_from(["ann", "bob", "cat"]), st.sampled_from("abcdx")),
    st.floats(0, 1),
    max_size=12,
)


@given(pairs=PAIRS, n=st.integers(1, 6))
def test_ranks_are_contiguous_and_nothing_seen_is_listed(
    pairs: dict[tuple[str, str], float], n: int
) -> None:
    scores = scores_of(*[(user, item, score, 1, 1) for (user, item), score in pairs.items()])
    lists = recommend(MODEL, scores, ITEMS, model_version="v", user_ids=["ann", "bob"], n=n)
    for user in ("ann", "bob"):
        own = lists.filter(pl.col("user_id") == user)
        seen = {item for (who, item) in pairs if who == user}
        is_known = user == "ann" and any(
            who == user and item in "abcd" and score >= 0.5 for (who, item), score in pairs.items()
        )
        eligible = set("abcd") - seen - (set() if is_known else {"b"})
        assert own["rank"].to_list() == list(range(1, min(n, len(eligible)) + 1))
        assert own["score"].is_sorted(descending=True)
        assert set(own["item_id"]) <= eligible
        assert own["item_id"].is_unique().all()


def test_equal_frames_give_equal_lists_whatever_their_order() -> None:
    scores = two_tastes(users=20)
    recipe = Recipe(tuple((source, 0.5) for source in FEW_SOURCES), seed=1, threshold=0.5)
    model = recipe.fit(TrainingInput(scores, NO_ITEMS, NO_USERS, 0.5))
    straight = recommend(model, scores, NO_ITEMS, model_version="v")
    assert straight.equals(recommend(model, scores.reverse(), NO_ITEMS, model_version="v"))
    assert straight.height == 20 * (24 - 7)


CHAINS = chains()
TAUGHT = TrainingInput(CHAINS, NO_ITEMS, NO_USERS, 0.5)
EXAMPLES, _ = drawn_examples()
QUICK = (RankerParameters(trees=20),)


@pytest.fixture(scope="module")
def ranked() -> Recommender:
    """With a ranker that knows little, and orders in another way than the ensemble."""
    recipe = Recipe(((popularity(), 1.0),), seed=1, threshold=0.5)
    ranker, _ = fit_ranker(EXAMPLES, recipe.ranked_sources, seed=1, choices=QUICK)
    return recipe.fit_with(TAUGHT, ranker)


def test_a_ranker_orders_the_lists_and_says_how_probable_each_item_is(ranked: Recommender) -> None:
    known = history(CHAINS, NO_ITEMS, ranked.item_ids)
    lists = recommend(
        ranked, CHAINS, NO_ITEMS, model_version="v", known=known, unavailable=["i001", "i020"], n=5
    )

    users = sorted(set(CHAINS["user_id"]))
    now = dict.fromkeys(users, CHAINS["last_feedback_at"].max())
    assert ranked.ranker is not None
    ranker = CandidateRanker(ranked.ensemble.sources, ranked.ranker, known)
    gone = pl.DataFrame({"user_id": users}).join(
        pl.DataFrame({"item_id": ["i001", "i020"]}), how="cross"
    )
    out = pl.concat([CHAINS.select("user_id", "item_id"), gone]).unique()
    items, chances = ranker.best(now, pair_matrix(out, users, ranked.item_ids), 5)  # type: ignore[arg-type]
    assert lists["item_id"].to_list() == [ranked.item_ids[item] for item in items.ravel()]
    assert lists["score"].to_list() == chances.ravel().tolist()
    assert lists["score"].is_between(0, 1).all()
    assert lists["rank"].to_list() == [1, 2, 3, 4, 5] * len(users)
    assert lists["reason"].str.starts_with("Because you liked").any()


def test_a_ranker_of_users_own_last_feedback_is_asked_at_that_instant(ranked: Recommender) -> None:
    # The last users end days after the first; what was popular then is not what is popular now.
    known = history(CHAINS, NO_ITEMS, ranked.item_ids)
    lists = recommend(
        ranked, CHAINS, NO_ITEMS, model_version="v", known=known, has_own_instants=True, n=5
    )

    last = CHAINS.group_by("user_id").agg(pl.col("last_feedback_at").max()).sort("user_id")
    own = dict(last.iter_rows())
    assert ranked.ranker is not None
    ranker = CandidateRanker(ranked.ensemble.sources, ranked.ranker, known)
    items, chances = ranker.best(own, pair_matrix(CHAINS, list(own), ranked.item_ids), 5)
    assert lists["item_id"].to_list() == [ranked.item_ids[item] for item in items.ravel()]
    assert lists["score"].to_list() == chances.ravel().tolist()
    together = recommend(ranked, CHAINS, NO_ITEMS, model_version="v", known=known, n=5)
    assert not together["score"].equals(lists["score"])


def test_ranked_lists_are_the_same_whatever_the_order_of_the_frames(ranked: Recommender) -> None:
    shown = shown_of(
        ("u001", "i030", 5, True), ("u002", "i030", 6, False), ("u001", "i031", 5, False)
    )

    def listed(scores: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
        known = history(scores, NO_ITEMS, ranked.item_ids, shown=seen)
        return recommend(ranked, scores, NO_ITEMS, model_version="v", known=known)

    assert listed(CHAINS, shown).equals(listed(CHAINS.reverse(), shown.reverse()))


def test_whom_a_ranked_model_has_not_met_gets_what_is_popular(ranked: Recommender) -> None:
    scores = pl.concat([CHAINS, scores_of(("zoe", "i003", 0.1, 1, 1))])
    known = history(scores, NO_ITEMS, ranked.item_ids)
    lists = recommend(
        ranked, scores, NO_ITEMS, model_version="v", known=known, user_ids=["zoe", "new"], n=3
    )
    assert set(lists["reason"]) == {"Popular with everybody"}
    likes = dict(zip(ranked.item_ids, ranked.popularity.weights.tolist(), strict=True))
    assert lists["score"].to_list() == [likes[item] for item in lists["item_id"]]


def test_a_ranker_without_a_history_is_refused(ranked: Recommender) -> None:
    with pytest.raises(InvalidInputError, match="needs a history"):
        recommend(ranked, CHAINS, NO_ITEMS, model_version="v")
