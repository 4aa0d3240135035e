from __future__ import annotations

import math

from feedback_platform.learning.gate import decide


def test_a_model_better_than_popularity_is_promoted_with_both_figures() -> None:
    decision = decide({"ndcg_at_10": 0.1308}, {"ndcg_at_10": 0.0849})
    assert decision.is_promoted
    assert decision.reason == "ndcg_at_10 0.1308 beats popularity's 0.0849."


def test_a_model_no_better_than_popularity_is_not_promoted() -> None:
    decision = decide({"ndcg_at_10": 0.0849}, {"ndcg_at_10": 0.0849})
    assert not decision.is_promoted
    assert decision.reason == "ndcg_at_10 0.0849 does not beat popularity's 0.0849."


def test_a_model_without_a_figure_is_not_promoted() -> None:
    assert not decide({}, {"ndcg_at_10": 0.1}).is_promoted
    assert not decide({"ndcg_at_10": math.nan}, {"ndcg_at_10": 0.1}).is_promoted
    assert not decide({"ndcg_at_10": None}, {"ndcg_at_10": 0.1}).is_promoted
