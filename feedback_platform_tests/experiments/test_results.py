from __future__ import annotations

from dataclasses import fields

import pytest

from feedback_platform.experiments.analysis import analyse
from feedback_platform.experiments.decision import Verdict, decide
from feedback_platform.experiments.definition import Guard
from feedback_platform.experiments.results import Result, results
from feedback_platform_tests.experiments.arms import experiment, of_shares

EXPERIMENT = experiment(guards=(Guard("bounce_rate", 0.05),))
# The names that DESIGN promises to readers of metrics.experiment_results.
PROMISED = (
    "control n mean effect low high p_value sequential_low sequential_high sample_ratio_p_value "
    "decision"
)


def test_a_row_has_what_readers_of_the_table_rely_on() -> None:
    assert {"experiment_id", "metric", "variant", "kind", *PROMISED.split()} <= {
        each.name for each in fields(Result)
    }


def test_every_metric_of_every_variant_is_a_row() -> None:
    observed = {"converting_users": {"grid": of_shares(2_000, 400), "cards": of_shares(2_000, 600)}}
    look = analyse(EXPERIMENT, {"grid": 2_000, "cards": 2_000}, observed)

    found, unseen = results(EXPERIMENT, look, decide(EXPERIMENT, look, is_over=False))

    assert (found.experiment_id, found.metric, found.variant) == (
        "cards-at-home",
        "converting_users",
        "cards",
    )
    assert (found.control, found.mean, found.n) == (0.2, 0.3, 2_000)
    assert found.effect == pytest.approx(0.1)
    assert found.relative_effect == pytest.approx(0.5)
    # By hand: 1.96 standard errors of sqrt((.16 + .21) / 2,000) = .0136.
    assert (found.low, found.high) == pytest.approx((0.0733, 0.1267), abs=1e-4)
    assert found.sequential_low is not None
    assert found.low is not None
    assert found.sequential_low < found.low
    assert found.sample_ratio_p_value == 1.0
    # The guard has not been seen, so its bounds are not known, and control stays.
    assert (unseen.metric, unseen.effect, unseen.low, unseen.p_value) == (
        "bounce_rate",
        None,
        None,
        None,
    )
    assert {found.decision, unseen.decision} == {Verdict.WAIT.value}
    assert "bounce_rate may be worse" in found.reason
