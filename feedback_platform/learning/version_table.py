"""The table of model versions: what each one is, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Final, Literal

import polars as pl

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion

Status = Literal["candidate", "champion", "retired", "rejected"]

VERSIONS_SCHEMA: Final = {
    "model": pl.String(),
    "version": pl.String(),
    "trained_at": pl.Datetime("us", "UTC"),
    "trigger": pl.String(),
    "metrics": pl.String(),
    "status": pl.String(),
    "reason": pl.String(),
    "promoted_at": pl.Datetime("us", "UTC"),
    "data_cut": pl.Datetime("us", "UTC"),
    "data_through": pl.Int64(),
    "code_version": pl.String(),
    "compared_with": pl.String(),
    "parameters": pl.String(),
    "decision": pl.String(),
}


def versions(lake: Lake, name: str) -> pl.DataFrame:
    """Return all complete versions of a model (`VERSIONS_SCHEMA`), oldest first.

    `metrics` and `parameters` are JSON objects, and so is `decision`, the gate's, where there was
    one. The champion is the version in use. The reason is that of the last decision about the
    version, or the remark at registration; of a version that should be in use and cannot, what is
    wrong. A version whose record is damaged is left out. The cost follows the number of versions
    and the size of the champion.

    Raises:
        ModelUnusableError: the pointer to the champion is damaged.
    """
    promoted_at: dict[str, datetime] = {}
    decided: dict[str, str] = {}
    for entry in champions.history(lake, name):
        promoted_at[entry.version] = entry.at
        decided |= {entry.left: entry.reason, entry.version: entry.reason}
    used = champions.in_use(lake, name)
    rows = []
    for version_id in registry.version_ids(lake, name):
        try:
            version = registry.read_version(lake, name, version_id)
        except ModelUnusableError:
            # The checks and `doctor` tell of it, where it matters: when it should be in use.
            continue
        status: Status = "candidate"
        reason = version.reason
        if version_id in promoted_at:
            status, reason = "retired", decided[version_id]
            if version_id in used.unusable:
                reason = f"Unusable: {used.unusable[version_id]}. Before: {reason}"
            if used.version is not None and used.version.version == version_id:
                status = "champion"
                reason = f"{used.warning} Before: {reason}" if used.warning else reason
        else:
            rejection = lake.find(keys.model_file(name, version_id, registry.REJECTION_FILE))
            if rejection is not None:
                status, reason = "rejected", str(json.loads(rejection)["reason"])
        decision = {"status": status, "reason": reason, "promoted_at": promoted_at.get(version_id)}
        rows.append({**_known_of(version), **decision})
    return pl.DataFrame(rows, schema=VERSIONS_SCHEMA).sort("version")


def _known_of(version: ModelVersion) -> dict[str, object]:
    return {
        "model": version.model,
        "version": version.version,
        "trained_at": version.trained_at,
        "trigger": version.trigger,
        "metrics": registry.to_json(version.metrics).decode(),
        "parameters": registry.to_json(version.parameters).decode(),
        "decision": registry.to_json(version.decision).decode() if version.decision else None,
        **asdict(version.lineage),
    }
