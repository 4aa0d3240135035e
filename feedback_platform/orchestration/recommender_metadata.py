"""What Dagster's UI shows of a recommender: figures, sources, ranker, and what the gate said."""

from typing import Any

import dagster as dg

from feedback_platform.learning.gate import Decision
from feedback_platform.learning.learned_tables import RegisteredRecommender
from feedback_platform.learning.ranker import Ranker
from feedback_platform.learning.ranker_features import FEATURES
from feedback_platform.learning.selection import Selection


def recommender_metadata(learned: RegisteredRecommender) -> dict[str, Any]:
    """Return the metadata of the asset; where a figure has no value it is left out."""
    figures = {name: value for name, value in learned.version.metrics.items() if value is not None}
    return {
        "version": learned.version.version,
        "promoted": learned.decision.is_promoted,
        "reason": learned.decision.reason,
        "evidence": _evidence(learned.decision),
        "sources": _sources(learned.trained.selection),
        **_ranker(learned.trained.model.ranker),
        **figures,
    }


def _evidence(decision: Decision) -> dg.TableMetadataValue:
    """Return what the gate looked at."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord({"of": found.name, "passed": found.passed, "finding": found.text})
            for found in decision.findings
        ]
    )


def _sources(selection: Selection) -> dg.TableMetadataValue:
    """Return what the inner split said of each source, the best first."""
    names = {**selection.weights, **selection.alone}
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "source": name,
                    "weight": round(selection.weights.get(name, 0.0), 2),
                    "inner nDCG alone": _rounded(selection.alone.get(name)),
                }
            )
            for name in sorted(names, key=lambda name: -selection.alone.get(name, 0.0))
        ]
    )


def _ranker(ranker: Ranker | None) -> dict[str, dg.TableMetadataValue]:
    """Return what the trees ask for, the most frequent first; nothing without a ranker."""
    if ranker is None:
        return {}
    asked = {name: splits for name, splits in ranker.splits.items() if splits}
    return {
        "ranker": dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "feature": name,
                        "splits": asked[name],
                        "says": FEATURES.get(name, "the standardised score of the source"),
                    }
                )
                for name in sorted(asked, key=lambda name: -asked[name])
            ]
        )
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
