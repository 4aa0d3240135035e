from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from feedback_platform.learning.click_model import ClickModel, fit_clicks
from feedback_platform.learning.exploration import NO_EXPLORATION, Exploration, draws_of, explore
from feedback_platform.learning.logged_policy import beside_logs
from feedback_platform.learning.off_policy import Estimator, LoggedImpressions, estimate
from feedback_platform.learning.ranker_lists import LISTS_SCHEMA
from feedback_platform_tests.learning.frames import at

ITEMS = ["a", "b", "c", "d"]
HALF = Exploration(share=0.5, places=1, pool=2)
# Rates of .1, .2, .3 and .4 at the first position, half of it at the second.
CLICKS = ClickModel(np.array([0.1, 0.2, 0.3, 0.4, 0.0]), np.array([1.0, 0.5, 0.5]))


def lists(*rows: tuple[str, str, int, float, bool]) -> pl.DataFrame:
    """Rows of user, item, position, propensity, whether it was clicked."""
    return pl.DataFrame(
        [
            (user, item, at(1), is_clicked, f"r{number}", position, propensity)
            for number, (user, item, position, propensity, is_clicked) in enumerate(rows)
        ],
        schema=LISTS_SCHEMA,
        orient="row",
    )


def beside(frame: pl.DataFrame, exploration: Exploration) -> LoggedImpressions:
    """Beside a model that lists a and b for ann, c and a for bob, who has nothing else."""
    ranked = np.array([[0, 1, 2, 3], [2, 0, -1, -1]])
    return beside_logs(
        frame,
        ["ann", "bob"],
        ITEMS,
        ranked,
        length=2,
        exploration=exploration,
        clicks=CLICKS,
    )


def test_each_impression_stands_beside_the_models_probability_of_the_same() -> None:
    logged = beside(
        lists(
            ("ann", "a", 1, 0.2, True),  # stays in half of the lists
            ("ann", "a", 2, 0.2, False),  # swapped with one of three in the other half
            ("ann", "b", 2, 0.2, False),  # stays unless it is that one
            ("ann", "d", 1, 0.2, True),
            ("ann", "elsewhere", 1, 0.2, False),
            ("bob", "c", 1, 0.4, True),
            ("bob", "b", 1, 0.4, False),
        ),
        HALF,
    )
    sixth = 0.5 / 3
    assert logged.target.tolist() == pytest.approx([0.5, sixth, 1 - sixth, sixth, 0, 0.5, 0])
    assert logged.rewards.tolist() == [1, 0, 0, 1, 0, 1, 0]
    assert logged.propensities.tolist() == [0.2] * 5 + [0.4] * 2
    assert logged.units.tolist() == [0] * 5 + [1] * 2
    assert logged.predicted is not None
    assert logged.predicted.tolist() == pytest.approx([0.1, 0.05, 0.1, 0.4, 0, 0.3, 0.2])


def test_what_a_model_would_earn_is_expected_over_all_that_it_may_show() -> None:
    logged = beside(
        lists(("ann", "c", 1, 0.2, True), ("ann", "c", 2, 0.2, False), ("bob", "a", 2, 0.2, False)),
        HALF,
    )
    assert logged.predicted_target is not None
    # a in half of the lists, and one of the three others in the rest; then b, or a in its place;
    # bob's second is a or c.
    assert logged.predicted_target.tolist() == pytest.approx(
        [0.5 * 0.1 + 0.5 * 0.3, (5 / 6 * 0.2 + 1 / 6 * 0.1) / 2, (0.1 + 0.3) / 2 / 2]
    )


def test_without_exploration_a_model_shows_one_item_for_certain() -> None:
    frame = lists(("ann", "a", 1, 0.2, True), ("ann", "c", 1, 0.2, False))
    assert beside(frame, NO_EXPLORATION).target.tolist() == [1, 0]


@pytest.mark.parametrize("estimator", ["inverse_propensity", "self_normalised", "doubly_robust"])
def test_logs_with_exploration_foretell_what_another_order_earns(estimator: Estimator) -> None:
    """What is shown by one order and clicked by known chances, and another order's true worth."""
    items, users, length = [f"i{n}" for n in range(8)], 40_000, 3
    worth = np.linspace(0.05, 0.6, 8)
    exploration = Exploration(share=0.3, places=3, pool=5)
    user_ids = [f"u{n}" for n in range(users)]
    order = np.tile(np.arange(8), (users, 1))
    shown = explore(order, length, draws_of(user_ids, "logged"), exploration)
    is_clicked = np.random.default_rng(3).random(shown.items.shape) < worth[shown.items]
    frame = lists(
        *(
            (user_ids[user], items[item], place + 1, propensity, clicked)
            for user in range(users)
            for place, (item, propensity, clicked) in enumerate(
                zip(
                    shown.items[user],
                    shown.propensities[user].tolist(),
                    is_clicked[user].tolist(),
                    strict=True,
                )
            )
        )
    )
    # The best items first, explored as much.
    better = order[:, ::-1]
    true = explore(better, length, draws_of(user_ids, "asked"), exploration)
    half = users // 2
    logged = beside_logs(
        frame.filter(pl.col("user_id").is_in(user_ids[half:])),
        user_ids,
        items,
        better,
        length=length,
        exploration=exploration,
        clicks=fit_clicks(frame.filter(pl.col("user_id").is_in(user_ids[:half])), items),
    )

    found = estimate(logged, estimator, seed=1)

    assert found.low < worth[true.items].mean() < found.high
    assert found.mean_weight == pytest.approx(1, abs=0.1)
