from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning import training_data
from feedback_platform_tests.learning.frames import START, at, items_of, scores_of


def test_cut_leaves_the_held_out_share_of_the_feedback_after_it() -> None:
    times = pl.Series([at(hour) for hour in (7, 1, 2, 3, 4, 5, 6, 8, 9, 10)])
    assert training_data.choose_cut(times, 0.2) == at(8)


def test_cut_needs_feedback_at_different_times() -> None:
    with pytest.raises(NothingToLearnError, match="nothing after a cut"):
        training_data.choose_cut(pl.Series([START] * 5))
    with pytest.raises(NothingToLearnError):
        training_data.choose_cut(pl.Series([], dtype=pl.Datetime("us", "UTC")))


@pytest.mark.parametrize("holdout", [0.0, 1.0, -0.1])
def test_hold_out_is_a_share(holdout: float) -> None:
    with pytest.raises(InvalidInputError, match="hold-out"):
        training_data.choose_cut(pl.Series([at(0), at(1)]), holdout)


def test_global_split_tests_only_new_pairs_and_only_users_with_both_halves() -> None:
    before = scores_of(
        ("ann", "a", 0.9, 1, 1),
        ("bob", "a", 0.2, 1, 1),  # likes nothing before the cut
        ("cat", "a", 0.9, 1, 1),
    )
    now = scores_of(
        ("ann", "a", 0.1, 1, 9),  # known before: no test, whatever it became
        ("ann", "b", 0.5, 1, 9),
        ("ann", "c", 0.4, 1, 9),
        ("bob", "a", 0.2, 1, 1),
        ("bob", "b", 0.9, 1, 9),
        ("cat", "a", 0.9, 1, 1),
        ("cat", "b", 0.4, 1, 9),  # likes nothing new
    )
    split = training_data.split_at(before, now, at(5))
    assert split.evaluated_users() == ["ann"]
    assert split.relevant().rows() == [("ann", "b")]
    assert split.test.height == 4


def test_training_scores_that_know_the_future_are_refused() -> None:
    scores = scores_of(("ann", "a", 0.9, 1, 6))
    with pytest.raises(InvalidInputError, match="know its own test"):
        training_data.split_at(scores, scores, at(5))


def test_per_user_split_holds_out_each_users_own_last_part() -> None:
    early = [("ann", item, 0.9, 1, hour) for hour, item in enumerate("abcde")]
    late = [("bob", item, 0.9, 1, 100 + hour) for hour, item in enumerate("abcdefghij")]
    short = [("cat", item, 0.9, 1, hour) for hour, item in enumerate("abcd")]
    split = training_data.split_per_user(scores_of(*early, *late, *short), holdout=0.2)
    assert split.relevant().rows() == [("ann", "e"), ("bob", "i"), ("bob", "j")]
    assert split.kind == "per_user"
    assert split.cut is None


def test_nobody_with_both_halves_is_nothing_to_learn() -> None:
    now = scores_of(("ann", "a", 0.9, 1, 1), ("bob", "b", 0.9, 1, 9))
    with pytest.raises(NothingToLearnError, match="collect more feedback"):
        training_data.split_at(now.head(1), now, at(5))


def test_the_global_cut_is_taken_where_it_evaluates_enough_users() -> None:
    rows = [(f"u{n}", item, 0.9, 1, hour) for n in range(6) for hour, item in enumerate("abcde")]
    burst = [(f"v{n}", item, 0.9, 1, 0) for n in range(20) for item in "abcde"]
    now = scores_of(*rows, *burst)
    before = now.filter(pl.col("last_feedback_at") <= at(3))

    def kind(minimum: int) -> str:
        return training_data.choose_split(before, now, at(3), minimum_users=minimum).kind

    assert kind(6) == "global"
    assert kind(7) == "per_user"


def test_without_anybody_after_the_global_cut_users_have_their_own() -> None:
    now = scores_of(*[("ann", item, 0.9, 1, 0) for item in "abcde"], ("bob", "a", 0.9, 1, 9))
    before = now.filter(pl.col("user_id") == "ann")
    assert training_data.choose_split(before, now, at(3)).kind == "per_user"


GOOD = scores_of(("ann", "a", 0.9, 1, 1))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (GOOD.drop("confidence"), "no column confidence"),
        (GOOD.with_columns(pl.col("user_id").cast(pl.Categorical)), "another type"),
        (GOOD.with_columns(pl.lit(None, pl.String).alias("item_id")), "nulls in item_id"),
        (GOOD.with_columns(pl.lit(1.1).alias("feedback_score")), "outside"),
        (GOOD.with_columns(pl.lit(float("nan")).alias("confidence")), "outside"),
        (pl.concat([GOOD, GOOD]), "more than once"),
    ],
)
def test_malformed_scores_are_refused_with_what_is_wrong(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        training_data.checked_scores(frame)


def test_an_item_described_twice_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="items frame has a item_id more than once"):
        training_data.checked_items(items_of(("a", None, []), ("a", "A", ["x"])))


def test_scores_of_any_row_order_and_more_columns_are_the_same() -> None:
    frame = scores_of(("bob", "a", 0.9, 1, 1), ("ann", "b", 0.9, 1, 1), ("ann", "a", 0.9, 1, 1))
    checked = training_data.checked_scores(frame.with_columns(pl.lit(1).alias("more")))
    assert checked.equals(training_data.checked_scores(frame.reverse()))
    assert checked["last_feedback_at"][0] == START + timedelta(hours=1)
