from __future__ import annotations

import polars as pl

from feedback_platform.learning import inner_splits as inner
from feedback_platform.learning import training_data
from feedback_platform_tests.learning.frames import at, scores_of


def test_inner_cuts_leave_a_fifth_of_the_training_part_between_them() -> None:
    times = pl.Series([at(hour) for hour in range(100)])
    cut = training_data.choose_cut(times)
    assert cut == at(79)
    assert inner.choose_inner_cuts(times, cut) == [at(63), at(47), at(31)]
    # Where the training part has no second instant there is nothing to cut.
    at_once = pl.Series([at(0)] * 8 + [at(1)] * 2)
    assert inner.choose_inner_cuts(at_once, at(0)) == []
    # Where it has no fourth, some of them fall together.
    few = pl.Series([at(0)] * 5 + [at(1)] * 3 + [at(2)] * 2)
    assert inner.choose_inner_cuts(few, at(1)) == [at(0)]


def test_with_plenty_of_feedback_one_inner_cut_is_enough() -> None:
    times = pl.Series([at(hour) for hour in range(100)])
    plenty = pl.concat([times] * 12_600)
    assert inner.choose_inner_cuts(plenty, at(79)) == [at(63)]


# Everybody likes one item after the other, ten hours apart.
NOW = scores_of(
    *[(f"u{user:03d}", f"i{item}", 0.9, 1, item * 10) for user in range(120) for item in range(9)]
)


def until(hours: float) -> pl.DataFrame:
    return NOW.filter(pl.col("last_feedback_at") <= at(hours))


def test_inner_splits_resemble_the_hold_out_and_know_nothing_of_it() -> None:
    hold_out = training_data.split_at(until(60), NOW, at(60))
    found = inner.inner_splits(hold_out, {at(20): until(20), at(40): until(40)})
    assert [(each.kind, each.cut) for each in found] == [("global", at(40)), ("global", at(20))]
    # Each is measured until the next, and knows what came before it.
    assert [set(each.test["item_id"]) for each in found] == [{"i5", "i6"}, {"i3", "i4"}]
    assert set(found[1].train["item_id"]) == {"i0", "i1", "i2"}

    of_each = training_data.split_per_user(NOW)
    (own,) = inner.inner_splits(of_each, {at(40): until(40)})
    assert own.kind == "per_user"
    assert pl.concat([own.train, own.test]).sort("user_id", "item_id").equals(of_each.train)


def test_where_few_are_active_on_both_sides_of_the_newest_inner_cut_each_user_has_one() -> None:
    is_away = (pl.col("user_id") >= "u050") & (pl.col("last_feedback_at") > at(40))
    hold_out = training_data.split_at(until(60).filter(~is_away), NOW, at(60))
    (own,) = inner.inner_splits(hold_out, {at(40): until(40), at(20): until(20)})
    assert (hold_out.kind, own.kind) == ("global", "per_user")


def test_where_too_little_is_known_to_split_once_more_there_is_no_inner_split() -> None:
    before = scores_of(("ann", "a", 0.9, 1, 1))
    now = pl.concat([before, scores_of(("ann", "b", 0.9, 1, 9))])
    assert inner.inner_splits(training_data.split_at(before, now, at(5)), {at(1): before}) == []
    assert inner.inner_splits(training_data.split_at(before, now, at(5)), {}) == []
    assert inner.inner_splits(training_data.split_per_user(now, holdout=0.5), {}) == []
    assert (
        len(inner.inner_splits(training_data.split_at(until(60), NOW, at(60)), {at(0): until(0)}))
        == 1
    )


def test_a_sample_keeps_so_many_evaluated_users() -> None:
    split = training_data.split_at(until(60), NOW, at(60))
    assert inner.sampled(split, 120) is split
    few = inner.sampled(split, 3)
    assert few.evaluated_users() == ["u000", "u059", "u119"]
    assert few.train.equals(split.train)
