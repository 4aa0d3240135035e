"""Versions in a registry that hold nothing of use, for tests of what is decided about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.model_version import Lineage, ModelVersion

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MODEL = "recommender"


def register(lake: Lake, hour: int = 0, **changes: Any) -> ModelVersion:
    """A version that was trained so many hours after noon."""
    given: dict[str, Any] = {
        "files": {"model.npz": b"weights", "notes.txt": b"x"},
        "trained_at": NOON + timedelta(hours=hour),
        "trigger": "schedule",
        "metrics": {"ndcg_at_10": 0.13, "silhouette": None},
        "parameters": {"epochs": 15},
        "lineage": Lineage(NOON, 7, "0.1.0+abc", None),
        "reason": "nightly",
    }
    return registry.register(lake, MODEL, **{**given, **changes})


def promote(lake: Lake, version: ModelVersion, reason: str = "better", hour: int = 0) -> None:
    at = NOON + timedelta(hours=hour)
    champions.promote(lake, version.model, version.version, at=at, reason=reason)


def tear(lake: Lake, version: ModelVersion, file: str = "model.npz") -> None:
    """Lose a file of a version."""
    lake.delete([f"models/{version.model}/{version.version}/{file}"])


def corrupt(lake: Lake, version: ModelVersion, file: str = "model.npz") -> None:
    """Change a byte of a file of a version."""
    key = f"models/{version.model}/{version.version}/{file}"
    content = bytearray(lake.get(key))
    content[len(content) // 2] ^= 1
    lake.put(key, bytes(content), mode="overwrite")
