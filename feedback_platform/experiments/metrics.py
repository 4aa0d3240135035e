"""What an experiment may measure: every rate and mean that trigger rules know, and some per user.

The user is the unit of all of them. A rate or mean of observations, such as clicks per impression,
is a ratio of two sums over users; a share or mean of users has every user count once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from feedback_platform.adjustment.rules import metrics as observed


class Kind(StrEnum):
    """How a metric is made of what is known of each user."""

    MEAN = "mean"
    SHARE = "share"
    RATIO = "ratio"


@dataclass(frozen=True)
class Metric:
    """A metric of an arm.

    Attributes:
        kind: a mean over users, a share of users, or a ratio of two sums over users.
        means: what it is, in words.
        is_better_high: whether more of it is good.
        low, high: where values lie.
    """

    kind: Kind
    means: str
    is_better_high: bool = True
    low: float = 0.0
    high: float = math.inf


METRICS: Final[dict[str, Metric]] = {
    **{
        name: Metric(Kind.RATIO, each.means, each.is_better_high, each.low, each.high)
        for name, each in observed.METRICS.items()
    },
    "converting_users": Metric(
        Kind.SHARE, "users who converted something / users exposed", high=1.0
    ),
    "returning_users": Metric(
        Kind.SHARE, "users who came back on a later day / users exposed", high=1.0
    ),
    "visits_per_user": Metric(Kind.MEAN, "visits / users exposed"),
    "clicks_per_user": Metric(Kind.MEAN, "clicks / users exposed"),
    "conversions_per_user": Metric(Kind.MEAN, "conversions / users exposed"),
    "revenue_per_user": Metric(Kind.MEAN, "revenue of conversions / users exposed"),
}
