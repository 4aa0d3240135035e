"""Whether a newly trained model may reach users."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

Metrics = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Decision:
    """Whether a candidate may become the champion, and the figures behind it."""

    is_promoted: bool
    reason: str


def decide(candidate: Metrics, baseline: Metrics, metric: str = "ndcg_at_10") -> Decision:
    """Promote a candidate that beats popularity on the same hold-out.

    Args:
        candidate: the candidate's metrics.
        baseline: those of popularity.
        metric: the one that decides; higher is better.
    """
    figures = candidate.get(metric), baseline.get(metric)
    ours, theirs = (value if value is not None else math.nan for value in figures)
    # NaN is above nothing: a model without a figure is never promoted.
    is_better = ours > theirs
    verb = "beats" if is_better else "does not beat"
    return Decision(is_better, f"{metric} {ours:.4f} {verb} popularity's {theirs:.4f}.")
