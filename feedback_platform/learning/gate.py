"""Whether a newly trained model may reach users.

It has to beat popularity, must not be worse than the champion by more than a margin (a test of
non-inferiority: the whole bootstrap interval of the difference lies above minus the margin), and
must trip no guard. A guard looks at what the mean over users hides: lists that show everybody the
same few items, segments that pay for the others' gain, and clicks, by what was logged of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.evaluation import (
    Evaluation,
    MeanDifference,
    Metric,
    difference,
)
from feedback_platform.learning.gate_rules import GateRules
from feedback_platform.learning.hold_out import Measured
from feedback_platform.learning.off_policy import LoggedImpressions, estimate, value_difference

METRIC: Final[Metric] = "ndcg"


@dataclass(frozen=True, eq=False)
class Opponent:
    """The champion on the hold-out of the challenger.

    Attributes:
        version: of the champion.
        basis: how it came to be measured, in words.
        measured: None where it could not be measured fairly.
    """

    version: str
    basis: str
    measured: Measured | None


@dataclass(frozen=True)
class Finding:
    """One thing that the gate looked at.

    Attributes:
        name: `popularity`, `champion`, `coverage`, `popularity_bias`, `segment NAME`, `clicks` or
            `freeze`.
        passed: whether it speaks for promotion.
        text: a sentence with the figures.
        figures: the same for programs.
    """

    name: str
    passed: bool
    text: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Decision:
    """Whether a challenger may become the champion, and the evidence."""

    is_promoted: bool
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """What tipped the scales: all that speaks against it, or that nothing does."""
        against = [finding.text for finding in self.findings if not finding.passed]
        compared = [f.text for f in self.findings if f.name in {"popularity", "champion"}]
        return " ".join(against or compared)


def decide(
    challenger: Measured,
    popularity: Evaluation,
    opponent: Opponent | None,
    *,
    segments: Mapping[str, str],
    rules: GateRules,
    seed: int,
) -> Decision:
    """Compare a challenger with popularity and with the champion, on the same users.

    Args:
        challenger: the model that wants to be promoted.
        popularity: the baseline.
        opponent: the champion; None before the first.
        segments: user → the name of the user's segment; others are in none.
        rules: margins and thresholds.
        seed: of the bootstrap.

    Raises:
        InvalidInputError: the evaluations are of different users or lengths of list.
    """
    findings = [_beats_popularity(challenger, popularity, rules, seed)]
    if opponent is not None and opponent.measured is None:
        text = (
            f"There is no fair comparison with the champion {opponent.version}: {opponent.basis}. "
            "Look at both, and promote by hand the one that you want."
        )
        findings.append(Finding("champion", passed=False, text=text, figures={}))
    elif opponent is not None and opponent.measured is not None:
        champion = opponent.measured
        findings += [
            _is_not_worse(challenger, champion, opponent, rules, seed),
            _covers_enough(challenger, champion, rules),
            _is_not_too_popular(challenger, champion, rules),
            *_segments_hold(challenger, champion, segments, rules, seed),
            *_earns_enough(challenger.logged, champion.logged, rules, seed),
        ]
    return Decision(all(finding.passed for finding in findings), tuple(findings))


def held_back(decision: Decision, name: str, why: str) -> Decision:
    """Return a decision against the challenger, whatever else speaks for it.

    Args:
        decision: what the gate said.
        name: of what holds it back, such as `freeze`.
        why: a sentence.
    """
    finding = Finding(name, passed=False, text=why, figures={})
    return Decision(is_promoted=False, findings=(*decision.findings, finding))


def _beats_popularity(
    challenger: Measured, popularity: Evaluation, rules: GateRules, seed: int
) -> Finding:
    gain = difference(challenger.evaluation, popularity, METRIC, seed=seed, level=rules.level)
    ours, theirs = challenger.evaluation.mean(METRIC), popularity.mean(METRIC)
    # NaN is above nothing: a model without a figure is never promoted.
    is_better = ours > theirs
    verb = "beats" if is_better else "does not beat"
    return Finding(
        "popularity",
        passed=is_better,
        text=f"{_label(challenger)} {ours:.4f} {verb} popularity's {theirs:.4f}.",
        figures={"challenger": ours, "popularity": theirs, **_interval(gain, rules.level)},
    )


def _is_not_worse(
    challenger: Measured, champion: Measured, opponent: Opponent, rules: GateRules, seed: int
) -> Finding:
    gain = difference(
        challenger.evaluation, champion.evaluation, METRIC, seed=seed, level=rules.level
    )
    ours, theirs = challenger.evaluation.mean(METRIC), champion.evaluation.mean(METRIC)
    lowest = -rules.margin * theirs
    passed = gain.low >= lowest
    verdict = "is not" if passed else "is" if gain.high < 0 else "may be"
    return Finding(
        "champion",
        passed=passed,
        text=(
            f"{_label(challenger)} {ours:.4f} {verdict} worse than {theirs:.4f} of the champion "
            f"{opponent.version} ({opponent.basis}): the difference is "
            f"{_shown(gain, rules.level)}, and {lowest:+.4f} is the margin."
        ),
        figures={
            "challenger": ours,
            "champion": theirs,
            "lowest": lowest,
            **_interval(gain, rules.level),
        },
    )


def _covers_enough(challenger: Measured, champion: Measured, rules: GateRules) -> Finding:
    ours, theirs = challenger.evaluation.coverage, champion.evaluation.coverage
    lowest = (1 - rules.largest_coverage_drop) * theirs
    return Finding(
        "coverage",
        passed=ours >= lowest,
        text=(
            f"Coverage: {ours:.1%} of the catalogue is in anybody's list, {theirs:.1%} with the "
            f"champion; {lowest:.1%} is the least."
        ),
        figures={"challenger": ours, "champion": theirs, "lowest": lowest},
    )


def _is_not_too_popular(challenger: Measured, champion: Measured, rules: GateRules) -> Finding:
    ours, theirs = challenger.quality.popularity_bias, champion.quality.popularity_bias
    highest = (1 + rules.largest_popularity_rise) * (1 + theirs) - 1
    return Finding(
        "popularity_bias",
        passed=ours <= highest,
        text=(
            f"Popularity bias: the items of a list have {1 + ours:.2f} times the likes of those "
            f"that its user liked before, {1 + theirs:.2f} times with the champion; "
            f"{1 + highest:.2f} is the most."
        ),
        figures={"challenger": ours, "champion": theirs, "highest": highest},
    )


def _segments_hold(
    challenger: Measured,
    champion: Measured,
    segments: Mapping[str, str],
    rules: GateRules,
    seed: int,
) -> Iterator[Finding]:
    """Look at each segment with enough users.

    Of many segments one is worse by chance; Bonferroni's correction keeps the level for all.
    """
    of_user = np.array([segments.get(user, "") for user in challenger.evaluation.user_ids])
    names, sizes = np.unique(of_user[of_user != ""], return_counts=True)
    looked_at = names[sizes >= rules.smallest_segment]
    level = 1 - (1 - rules.level) / max(len(looked_at), 1)
    for name in looked_at:
        ours = _of_users(challenger.evaluation, of_user == name)
        theirs = _of_users(champion.evaluation, of_user == name)
        change = difference(ours, theirs, METRIC, seed=seed, level=level)
        lowest = -rules.segment_margin * theirs.mean(METRIC)
        passed = change.high >= lowest
        verdict = "is not worse off" if passed else "is worse off"
        yield Finding(
            f"segment {name}",
            passed=passed,
            text=(
                f"Segment {name} ({len(ours.user_ids)} users) {verdict} than with the champion: "
                f"the difference is {_shown(change, level)}, and {lowest:+.4f} is the margin."
            ),
            figures={
                "challenger": ours.mean(METRIC),
                "champion": theirs.mean(METRIC),
                "lowest": lowest,
                "users": len(ours.user_ids),
                **_interval(change, level),
            },
        )


def _earns_enough(
    challenger: LoggedImpressions | None,
    champion: LoggedImpressions | None,
    rules: GateRules,
    seed: int,
) -> Iterator[Finding]:
    """Look at the clicks that either would have had, where the logs say enough of both.

    Where their weights are not 1 on average, the logs are blind to a part of what one would show.
    """
    if challenger is None or champion is None:
        return
    try:
        ours, theirs = (
            estimate(logged, "self_normalised", seed=seed, level=rules.level)
            for logged in (challenger, champion)
        )
    except InvalidInputError:
        # The logs show nothing that one of them would.
        return
    least = min(ours.effective_impressions, theirs.effective_impressions)
    covered = min(min(value.mean_weight, 1 / value.mean_weight) for value in (ours, theirs))
    if least < rules.fewest_impressions or covered < rules.smallest_click_coverage:
        return
    change = value_difference(challenger, champion, "self_normalised", seed=seed, level=rules.level)
    lowest = -rules.click_margin * theirs.value
    passed = change.high >= lowest
    verdict = "are not surely fewer" if passed else "are fewer"
    yield Finding(
        "clicks",
        passed=passed,
        text=(
            f"Clicks {verdict} than with the champion: by {ours.impressions} logged impressions, "
            f"worth at least {least:.0f} of either's own, {ours.value:.4f} of what it shows would "
            f"have been clicked, {theirs.value:.4f} with the champion; the difference is "
            f"{_shown(change, rules.level)}, and {lowest:+.4f} is the margin."
        ),
        figures={
            "challenger": ours.value,
            "champion": theirs.value,
            "lowest": lowest,
            "effective_impressions": least,
            "coverage": covered,
            **_interval(change, rules.level),
        },
    )


def _of_users(evaluation: Evaluation, chosen: NDArray[np.bool_]) -> Evaluation:
    """Return the part of an evaluation that is about some of its users."""
    return replace(
        evaluation,
        user_ids=tuple(np.array(evaluation.user_ids)[chosen]),
        per_user={metric: values[chosen] for metric, values in evaluation.per_user.items()},
    )


def _label(measured: Measured) -> str:
    return f"{METRIC}_at_{measured.evaluation.k}"


def _shown(gain: MeanDifference, level: float) -> str:
    return f"{gain.mean:+.4f} ({100 * level:.4g} % interval {gain.low:+.4f} to {gain.high:+.4f})"


def _interval(gain: MeanDifference, level: float) -> dict[str, float]:
    return {"difference": gain.mean, "low": gain.low, "high": gain.high, "level": level}
