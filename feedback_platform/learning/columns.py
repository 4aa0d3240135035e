"""The names of the columns that learning reads and writes, beside those of the event."""

from __future__ import annotations

from typing import Final

from feedback_platform.events.columns import ITEM_ID, PROPENSITY, USER_ID

__all__ = [
    "AFFINITY",
    "ALGORITHM",
    "ATTRIBUTES",
    "CATEGORIES",
    "CATEGORY",
    "CONFIDENCE",
    "DISTANCE",
    "FEEDBACK_SCORE",
    "ITEM_ID",
    "LAST_FEEDBACK_AT",
    "MODEL_VERSION",
    "PROPENSITY",
    "RANK",
    "REASON",
    "SCORE",
    "SEGMENT_ID",
    "TITLE",
    "USER_ID",
]

FEEDBACK_SCORE: Final = "feedback_score"
CONFIDENCE: Final = "confidence"
LAST_FEEDBACK_AT: Final = "last_feedback_at"

TITLE: Final = "title"
CATEGORIES: Final = "categories"
ATTRIBUTES: Final = "attributes"

RANK: Final = "rank"
SCORE: Final = "score"
REASON: Final = "reason"
MODEL_VERSION: Final = "model_version"

CATEGORY: Final = "category"
AFFINITY: Final = "affinity"
SEGMENT_ID: Final = "segment_id"
ALGORITHM: Final = "algorithm"
DISTANCE: Final = "distance"
