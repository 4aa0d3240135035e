from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.evaluation import METRICS, Evaluation
from feedback_platform.learning.gate import Decision, Finding, Opponent, decide
from feedback_platform.learning.gate_rules import GateRules, default_gate_rules
from feedback_platform.learning.hold_out import Measured
from feedback_platform.learning.list_quality import ListQuality
from feedback_platform.learning.off_policy import LoggedImpressions

RULES = default_gate_rules()
USERS = 200


def evaluation(ndcg: Sequence[float], coverage: float = 0.5) -> Evaluation:
    """One value a user; the other metrics decide nothing."""
    values = np.array(ndcg, dtype=np.float64)
    return Evaluation(
        k=10,
        user_ids=tuple(f"u{user:03d}" for user in range(len(values))),
        per_user=dict.fromkeys(METRICS, values),
        coverage=coverage,
    )


def model(ndcg: float | Sequence[float], *, coverage: float = 0.5, bias: float = 0.0) -> Measured:
    """A model that is as good for every user, unless it is told apart."""
    values = [ndcg] * USERS if isinstance(ndcg, float) else ndcg
    quality = ListQuality(novelty=5.0, popularity_bias=bias, diversity=None, miscalibration=None)
    return Measured(evaluation(values, coverage), quality)


def decision(
    challenger: Measured,
    champion: Measured | None = None,
    *,
    popularity: float = 0.1,
    segments: dict[str, str] | None = None,
    rules: GateRules = RULES,
) -> Decision:
    users = len(challenger.evaluation.user_ids)
    return decide(
        challenger,
        evaluation([popularity] * users),
        None if champion is None else Opponent("v1", "as it is served", champion),
        segments=segments or {},
        rules=rules,
        seed=1,
    )


def finding(outcome: Decision, name: str) -> Finding:
    (found,) = [known for known in outcome.findings if known.name == name]
    return found


def refused_by(outcome: Decision) -> list[str]:
    assert outcome.is_promoted == all(known.passed for known in outcome.findings)
    return [known.name for known in outcome.findings if not known.passed]


def test_a_first_model_has_to_beat_popularity_and_nothing_else() -> None:
    outcome = decision(model(0.1308), popularity=0.0849)

    assert outcome.is_promoted
    assert outcome.reason == "ndcg_at_10 0.1308 beats popularity's 0.0849."
    assert [known.name for known in outcome.findings] == ["popularity"]


def test_a_model_no_better_than_popularity_is_refused() -> None:
    outcome = decision(model(0.0849), popularity=0.0849)

    assert refused_by(outcome) == ["popularity"]
    assert outcome.reason == "ndcg_at_10 0.0849 does not beat popularity's 0.0849."


def test_a_model_without_a_figure_is_refused() -> None:
    assert refused_by(decision(model([math.nan, 0.3]))) == ["popularity"]


def test_a_model_as_good_as_the_champion_is_promoted_with_both_figures() -> None:
    outcome = decision(model(0.2), model(0.2))

    assert outcome.is_promoted
    assert outcome.reason == (
        "ndcg_at_10 0.2000 beats popularity's 0.1000. "
        "ndcg_at_10 0.2000 is not worse than 0.2000 of the champion v1 (as it is served): the "
        "difference is +0.0000 (95 % interval +0.0000 to +0.0000), and -0.0100 is the margin."
    )


def test_a_difference_within_the_margin_is_accepted_and_one_beyond_it_refused() -> None:
    champion = model(0.2)

    # Every user's difference is the same, so the interval is a point; 5 % of 0.2 is 0.01.
    assert refused_by(decision(model(0.1901), champion)) == []
    surely_worse = decision(model(0.1899), champion)
    assert refused_by(surely_worse) == ["champion"]
    assert "ndcg_at_10 0.1899 is worse than 0.2000 of the champion v1" in surely_worse.reason


def test_a_better_mean_is_refused_while_the_interval_reaches_beyond_the_margin() -> None:
    # One user in ten gains 0.35, the others lose 0.03: +0.008 on average, from very few users.
    few = [0.55 if user % 10 == 0 else 0.17 for user in range(20)]
    many = [0.55 if user % 10 == 0 else 0.17 for user in range(20_000)]

    surely = decision(model(many), model([0.2] * 20_000))
    perhaps = decision(model(few), model([0.2] * 20))

    assert finding(perhaps, "champion").figures["difference"] == pytest.approx(0.008)
    assert refused_by(perhaps) == ["champion"]
    assert "may be worse than 0.2000 of the champion v1" in perhaps.reason
    assert refused_by(surely) == []


def test_lists_that_cover_much_less_of_the_catalogue_trip_the_guard() -> None:
    champion = model(0.2, coverage=0.5)

    assert refused_by(decision(model(0.2, coverage=0.41), champion)) == []
    outcome = decision(model(0.3, coverage=0.39), champion)

    assert refused_by(outcome) == ["coverage"]
    assert outcome.reason == (
        "Coverage: 39.0% of the catalogue is in anybody's list, 50.0% with the champion; "
        "40.0% is the least."
    )


def test_lists_of_much_more_popular_items_trip_the_guard() -> None:
    # One and a half times as popular as what their users liked; a tenth more is 1.65 times.
    champion = model(0.2, bias=0.5)

    assert refused_by(decision(model(0.2, bias=0.64), champion)) == []
    outcome = decision(model(0.3, bias=0.66), champion)

    assert refused_by(outcome) == ["popularity_bias"]
    assert outcome.reason == (
        "Popularity bias: the items of a list have 1.66 times the likes of those that its user "
        "liked before, 1.50 times with the champion; 1.65 is the most."
    )


def test_a_segment_that_pays_for_the_gain_of_others_trips_the_guard() -> None:
    # 60 of 200 users lose 0.1, the others gain 0.1: better on average.
    ours = [0.1 if user < 60 else 0.3 for user in range(USERS)]
    segments = {f"u{user:03d}": "Reports" if user < 60 else "Alerts" for user in range(USERS)}

    outcome = decision(model(ours), model(0.2), segments=segments)

    assert finding(outcome, "champion").figures["difference"] == pytest.approx(0.04)
    assert refused_by(outcome) == ["segment Reports"]
    assert outcome.reason == (
        "Segment Reports (60 users) is worse off than with the champion: the difference is "
        "-0.1000 (97.5 % interval -0.1000 to -0.1000), and -0.0100 is the margin."
    )


def test_a_segment_that_is_too_small_or_nobodys_is_not_looked_at() -> None:
    ours = [0.1 if user < 40 else 0.3 for user in range(USERS)]
    small = {f"u{user:03d}": "Reports" for user in range(40)}

    outcome = decision(model(ours), model(0.2), segments=small)

    assert outcome.is_promoted
    assert [known.name for known in outcome.findings if known.name.startswith("segment")] == []


def test_a_segment_whose_interval_reaches_to_the_margin_is_not_surely_worse_off() -> None:
    # 0.025 and 0.0075 worse on average; in the second, half the users gain nearly what others lose.
    ours = [0.15 if user % 2 == 0 else 0.2 for user in range(60)]
    wide = [0.0 if user % 2 == 0 else 0.385 for user in range(60)]
    segments = {f"u{user:03d}": "Reports" for user in range(60)}
    champion = model([0.2] * 60)

    surely = decision(model(ours), champion, segments=segments)
    perhaps = decision(model(wide), champion, segments=segments)

    assert "segment Reports" in refused_by(surely)
    assert "segment Reports" not in refused_by(perhaps)


def test_the_more_segments_there_are_the_wider_is_the_interval_of_each() -> None:
    one = {f"u{user:03d}": "Reports" for user in range(USERS)}
    four = {f"u{user:03d}": f"Segment {user % 4}" for user in range(USERS)}

    levels = [
        [
            known.figures["level"]
            for known in decision(model(0.2), model(0.2), segments=segments).findings
            if known.name.startswith("segment")
        ]
        for segments in (one, four)
    ]

    assert levels == [[pytest.approx(0.95)], [pytest.approx(0.9875)] * 4]


def test_all_that_speaks_against_a_model_is_told() -> None:
    outcome = decision(model(0.05, coverage=0.1, bias=4.0), model(0.2))

    assert refused_by(outcome) == ["popularity", "champion", "coverage", "popularity_bias"]
    assert all(known.text in outcome.reason for known in outcome.findings)


def test_without_a_fair_comparison_a_person_has_to_decide() -> None:
    opponent = Opponent("v1", "it has seen the hold-out", None)

    outcome = decide(
        model(0.9), evaluation([0.1] * USERS), opponent, segments={}, rules=RULES, seed=1
    )

    assert refused_by(outcome) == ["champion"]
    assert outcome.reason == (
        "There is no fair comparison with the champion v1: it has seen the hold-out. "
        "Look at both, and promote by hand the one that you want."
    )


def test_thresholds_come_from_the_rules() -> None:
    tolerant = replace(RULES, margin=1.0, largest_coverage_drop=1.0, largest_popularity_rise=10.0)
    worse = model(0.11, coverage=0.01, bias=9.0)

    assert decision(worse, model(0.2), rules=tolerant).is_promoted
    assert not decision(worse, model(0.2)).is_promoted


def test_models_of_different_users_are_not_compared() -> None:
    with pytest.raises(InvalidInputError, match="same users"):
        decision(model(0.2), model([0.2] * 3))


def beside_logs(
    measured: Measured, share_of_clicked: float, impressions: int = 8_000, scale: float = 1.0
) -> Measured:
    """A model that shows so much of what was clicked, of logs that showed two items evenly.

    One in ten of the logged impressions was clicked. What the model shows besides was never shown.
    """
    rewards = (np.arange(impressions) % 10 == 0).astype(np.float64)
    logged = LoggedImpressions(
        rewards=rewards,
        propensities=np.full(impressions, 0.5),
        target=scale * np.where(rewards > 0, share_of_clicked, 0.5),
        units=np.arange(impressions) // 4,
    )
    return replace(measured, logged=logged)


def test_a_model_that_would_surely_have_fewer_clicks_is_refused() -> None:
    outcome = decision(beside_logs(model(0.2), 0.4), beside_logs(model(0.2), 0.5))

    assert refused_by(outcome) == ["clicks"]
    clicks = finding(outcome, "clicks")
    # Of ten it shows four fifths of a click and nine others.
    assert clicks.figures["challenger"] == pytest.approx(0.8 / 9.8)
    assert clicks.figures["champion"] == pytest.approx(0.1)
    assert (
        "0.0816 of what it shows would have been clicked, 0.1000 with the champion" in clicks.text
    )


def test_clicks_within_the_margin_or_the_interval_are_accepted() -> None:
    champion = beside_logs(model(0.2), 0.5)
    assert finding(decision(beside_logs(model(0.2), 0.48), champion), "clicks").passed
    assert finding(decision(beside_logs(model(0.2), 0.9), champion), "clicks").passed


def test_logs_that_never_show_a_part_of_what_a_model_shows_are_not_looked_at() -> None:
    champion = beside_logs(model(0.2), 0.5)
    assert refused_by(decision(beside_logs(model(0.2), 0.1, scale=0.9), champion)) == ["clicks"]
    outcome = decision(beside_logs(model(0.2), 0.1, scale=0.8), champion)
    assert outcome.is_promoted
    assert "clicks" not in [known.name for known in outcome.findings]


def test_logs_that_say_little_of_either_model_are_not_looked_at() -> None:
    champion = beside_logs(model(0.2), 0.5, impressions=900)
    worse = beside_logs(model(0.2), 0.1, impressions=900)
    unseen = beside_logs(model(0.2), 0.5)
    assert unseen.logged is not None
    nothing = replace(unseen.logged, target=np.zeros(len(unseen.logged.rewards)))
    for outcome in (
        decision(worse, champion),
        decision(model(0.2), beside_logs(model(0.2), 0.5)),
        decision(replace(unseen, logged=nothing), unseen),
    ):
        assert outcome.is_promoted
        assert "clicks" not in [known.name for known in outcome.findings]
