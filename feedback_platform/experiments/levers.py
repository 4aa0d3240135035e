"""What an experiment may vary beside flags and models, and which values each accepts.

Flags and models are looked up where they are kept; what stands here is known by name to those who
serve. A ranking policy is chosen for each placement, a threshold for the whole product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from feedback_platform.adjustment.flags.definition import SEGMENT, SEGMENT_ID
from feedback_platform.settings import MOST_EXPLORATION

RECOMMENDER: Final = "recommender"
# In the place of a model's version: whichever is in use.
CHAMPION: Final = "champion"
PLACEMENT: Final = "placement"
# What an audience may ask for where lists are varied: a request for one says nothing else of its
# user.
LIST_ATTRIBUTES: Final = (SEGMENT, SEGMENT_ID, PLACEMENT)

PERSONAL: Final = "personalised"
PUBLISHED: Final = "published"
POPULAR: Final = "popular"
# Ranking policy → what it shows.
RANKING_POLICIES: Final[dict[str, str]] = {
    PERSONAL: "the user's own list, with what the user did a moment ago",
    PUBLISHED: "the user's own list as it was published, whatever the user did since",
    POPULAR: "what is popular, to everybody alike",
}


@dataclass(frozen=True)
class Threshold:
    """A number that can be varied from user to user.

    Attributes:
        means: what it is.
        low, high: what it accepts.
    """

    means: str
    low: float
    high: float


EXPLORATION_SHARE: Final = "exploration_share"
COLD_SHARE: Final = "cold_share"
THRESHOLDS: Final[dict[str, Threshold]] = {
    EXPLORATION_SHARE: Threshold(
        "the chance of each of the first ten places of a list to be drawn at random",
        0.0,
        MOST_EXPLORATION,
    ),
    COLD_SHARE: Threshold(
        "what follows a user's clicks beside what is popular, for whom the model does not know",
        0.0,
        1.0,
    ),
}
