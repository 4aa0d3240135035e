from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.hold_out import HoldOut
from feedback_platform.learning.off_policy import LoggedImpressions, value_difference
from feedback_platform.learning.policy_evaluation import beside_its_logs, earnings
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.ranker_lists import LISTS_SCHEMA
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.training_data import split_at, split_per_user
from feedback_platform_tests.learning.frames import NO_ITEMS, NO_USERS, at, scores_of

ITEMS = tuple("abcdef")
BEFORE = scores_of(("ann", "f", 0.9, 1, 1), ("bob", "f", 0.9, 1, 1))
SPLIT = split_at(BEFORE, pl.concat([BEFORE, scores_of(("ann", "a", 0.9, 1, 9))]), at(5))


def recommender(best_first: str) -> Recommender:
    """A model that has met ann, and lists the items in this order for her and everybody."""
    weights = np.array([len(best_first) - best_first.index(item) for item in ITEMS], np.float32)
    popularity = Popularity(ITEMS, weights)
    return Recommender(
        Ensemble((Member("one", "popularity", 1, popularity),)), popularity, ("ann",)
    )


def logs(*rows: tuple[str, str, int | None, float | None, bool, float]) -> pl.DataFrame:
    """Rows of user, item, position, propensity, whether it was clicked, hours."""
    return pl.DataFrame(
        [
            (user, item, at(hours), is_clicked, f"r{number}", position, propensity)
            for number, (user, item, position, propensity, is_clicked, hours) in enumerate(rows)
        ],
        schema=LISTS_SCHEMA,
        orient="row",
    )


def test_what_was_shown_after_the_cut_stands_beside_what_the_model_lists_then() -> None:
    logged = logs(
        ("ann", "a", 1, 0.5, False, 4),  # before the cut it teaches the rates of clicks
        ("ann", "a", 1, 0.5, True, 6),
        ("ann", "b", 1, 0.5, False, 7),
        ("zoe", "b", 2, 0.25, True, 8),  # the model has not met her
        ("bob", "f", 1, 0.5, False, 8),  # he knows it, so nobody would list it
        ("ann", "a", None, None, True, 8),  # no list of ours
        ("ann", "a", 1, None, True, 8),
        ("ann", "a", 21, 0.5, True, 8),  # longer than a list is
    )
    hold_out = HoldOut(SPLIT, NO_ITEMS, NO_USERS, logged=logged, exploration=Exploration())
    model = recommender("abcdef")

    found = beside_its_logs(hold_out.measure(model), hold_out, model).logged

    assert found is not None
    assert found.rewards.tolist() == [1, 0, 0, 1]
    # Five unseen items: a place that is drawn, a twentieth, gets another item than it has.
    stays = 1 - 0.05 * (1 + 4 / 4)
    # Zoe has none seen, so of six; the second place is one of six that may be drawn.
    of_six = 1 - 0.05 * (1 + 5 / 5)
    assert found.target.tolist() == pytest.approx([stays, 0.05 / 4 * 2, 0, of_six])
    assert found.units.tolist() == [0, 0, 1, 2]
    figures = earnings(found)
    assert figures["logged_impressions"] == 4
    assert figures["logged_click_rate"] == 0.5
    weights = np.array([stays / 0.5, 0.025 / 0.5, 0, of_six / 0.25])
    assert figures["off_policy_click_rate"] == pytest.approx(
        (weights[0] + weights[3]) / weights.sum()
    )
    assert figures["off_policy_coverage"] == pytest.approx(weights.mean())


def test_the_better_of_two_orders_is_found_by_logs_that_show_at_random() -> None:
    random = np.random.default_rng(3)
    worth = dict(zip(ITEMS, (0.5, 0.4, 0.3, 0.2, 0.1, 0.0), strict=True))
    shown = [
        (f"u{number % 400}", item, place + 1, 1 / 6, bool(random.random() < worth[item]), 6.0)
        for number in range(2_000)
        for place, item in enumerate(random.permutation(list(ITEMS)))
    ]
    hold_out = HoldOut(
        SPLIT,
        NO_ITEMS,
        NO_USERS,
        logged=logs(*shown).filter(pl.col("position") < 3),
        exploration=Exploration(),
    )

    def rate(model: Recommender) -> tuple[float, float]:
        measured = beside_its_logs(hold_out.measure(model), hold_out, model)
        figures = earnings(measured.logged)
        assert figures["off_policy_coverage"] == pytest.approx(1, abs=0.05)
        low, high = figures["off_policy_click_rate_low"], figures["off_policy_click_rate_high"]
        assert low is not None
        assert high is not None
        return low, high

    best, worst = rate(recommender("abcdef")), rate(recommender("fedcba"))
    # Of ten lists nine have their first item, and one any of the others; so has the second place.
    true_best = (0.9 * 0.5 + 0.1 * 0.2 + 0.9 * 0.4 + 0.1 * 0.22) / 2
    true_worst = (0.9 * 0.0 + 0.1 * 0.3 + 0.9 * 0.1 + 0.1 * 0.28) / 2
    assert best[0] < true_best < best[1]
    assert worst[0] < true_worst < worst[1]


def test_without_a_cut_for_all_or_propensities_nothing_is_said() -> None:
    model = recommender("abcdef")
    scores = scores_of(*[("ann", item, 0.9, 1, hour) for hour, item in enumerate(ITEMS)])
    own = split_per_user(scores)
    shown = logs(("ann", "a", 1, None, True, 8))
    for hold_out in (
        HoldOut(SPLIT, NO_ITEMS, NO_USERS),
        HoldOut(SPLIT, NO_ITEMS, NO_USERS, logged=shown),
        HoldOut(own, NO_ITEMS, NO_USERS, logged=logs(("ann", "a", 1, 0.5, True, 8))),
    ):
        measured = beside_its_logs(hold_out.measure(model), hold_out, model)
        assert measured.logged is None
        assert earnings(measured.logged) == {}


def test_a_model_that_would_show_nothing_of_the_logs_has_no_figure_of_clicks() -> None:
    logged = logs(("ann", "elsewhere", 1, 0.5, True, 6))
    hold_out = HoldOut(SPLIT, NO_ITEMS, NO_USERS, logged=logged, exploration=Exploration())
    model = recommender("abcdef")
    measured = beside_its_logs(hold_out.measure(model), hold_out, model)
    assert earnings(measured.logged) == {"logged_impressions": 1, "off_policy_coverage": 0.0}


def test_the_cut_is_where_the_logs_begin_to_count() -> None:
    logged = logs(("ann", "a", 1, 0.5, True, 5), ("ann", "b", 1, 0.5, False, 5.001))
    hold_out = HoldOut(SPLIT, NO_ITEMS, NO_USERS, logged=logged, exploration=Exploration())
    assert SPLIT.cut == at(0) + timedelta(hours=5)
    measured = beside_its_logs(
        hold_out.measure(recommender("abcdef")), hold_out, recommender("abcdef")
    )
    assert measured.logged is not None
    assert measured.logged.rewards.tolist() == [0]


def test_two_models_that_know_other_users_are_compared_user_by_user() -> None:
    random = np.random.default_rng(5)
    users = [f"u{number:03d}" for number in random.permutation(300)]
    shown = logs(
        *(
            (user, str(item), place + 1, 1 / 6, bool(random.random() < 0.3), 6.0)
            for user in users
            for place, item in enumerate(random.permutation(list(ITEMS))[:3])
        )
    )
    hold_out = HoldOut(SPLIT, NO_ITEMS, NO_USERS, logged=shown, exploration=Exploration())

    def beside(model: Recommender) -> LoggedImpressions:
        logged = beside_its_logs(hold_out.measure(model), hold_out, model).logged
        assert logged is not None
        return logged

    one = recommender("abcdef")
    other = replace(recommender("fedcba"), user_ids=tuple(sorted(users)[::2]))
    same = replace(one, user_ids=tuple(sorted(users)[:100]))
    gain = value_difference(beside(one), beside(other), "self_normalised", seed=1)
    assert gain.low < gain.mean < gain.high
    none = value_difference(beside(one), beside(same), "self_normalised", seed=1)
    assert (none.low, none.mean, none.high) == (0, 0, 0)
