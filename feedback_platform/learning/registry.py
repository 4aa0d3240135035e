"""Model versions in the lake: what was trained, how good it was, and which one is in use.

A version is a directory. Its `version.json` is written last and makes it count; it lists the
other files with their checksums, so a reader knows whether it has all of them. Nothing in a
version changes afterwards. A rejection is an object beside it. Which version is the champion, and
which were before, is one object that is replaced as a whole: a crash between two writes leaves the
old champion or the new one. Promotions are made by one process at a time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, Literal

import polars as pl

from feedback_platform.errors import InvalidInputError, LakeObjectExistsError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning.gate import Metrics
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion

Status = Literal["candidate", "champion", "retired", "rejected"]

PARAMETERS_FILE: Final = "parameters.json"
METRICS_FILE: Final = "metrics.json"
VERSIONS_SCHEMA: Final = {
    "model": pl.String(),
    "version": pl.String(),
    "trained_at": pl.Datetime("us", "UTC"),
    "trigger": pl.String(),
    "metrics": pl.String(),
    "status": pl.String(),
    "reason": pl.String(),
}
_VERSION_FILE = "version.json"
_REJECTION_FILE = "rejected.json"
_RESERVED = {PARAMETERS_FILE, METRICS_FILE, _VERSION_FILE, _REJECTION_FILE}
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def register(
    lake: Lake,
    name: str,
    *,
    files: Mapping[str, bytes],
    trained_at: datetime,
    trigger: str,
    metrics: Metrics,
    parameters: Mapping[str, Any],
    data_cut: datetime | None = None,
    reason: str = "",
) -> ModelVersion:
    """Store a trained model as a candidate; it counts once this returns.

    Storing the same content of the same instant again completes or confirms the first attempt.

    Args:
        lake: where.
        name: of the model.
        files: file name → content.
        trained_at: UTC; with the content it makes the version's id.
        trigger: why it was trained.
        metrics: on the hold-out; None where there is no value.
        parameters: what JSON can express.
        data_cut: the training data holds feedback up to this instant (UTC).
        reason: a remark.

    Raises:
        InvalidInputError: a name is unusable, or a value is not expressible in JSON.
        LakeUnavailableError: the store failed; the version does not count.
    """
    for text in (name, *files):
        if not _PLAIN_NAME.fullmatch(text) or text in _RESERVED:
            raise InvalidInputError(
                f"{text!r} cannot name a model or its file; use lower-case letters, digits, dots, "
                f"dashes and underscores, and none of {', '.join(sorted(_RESERVED))}."
            )
    stored = {**files, PARAMETERS_FILE: _to_json(parameters), METRICS_FILE: _to_json(metrics)}
    checksums = {file: hashlib.sha256(data).hexdigest() for file, data in sorted(stored.items())}
    instant = trained_at.astimezone(UTC)
    content = hashlib.sha256(_to_json(checksums)).hexdigest()
    version = ModelVersion(
        model=name,
        version=f"{instant:%Y%m%dT%H%M%S}{instant.microsecond // 1000:03d}Z-{content[:6]}",
        trained_at=instant,
        trigger=trigger,
        data_cut=data_cut,
        metrics=metrics,
        parameters=parameters,
        files=checksums,
        reason=reason,
    )
    for file, data in stored.items():
        # The id names the content, so what an earlier attempt left is replaced by the same.
        lake.put(keys.model_file(name, version.version, file), data, mode="overwrite")
    try:
        key = keys.model_file(name, version.version, _VERSION_FILE)
        lake.put(key, _to_json(asdict(version)), mode="create")
    except LakeObjectExistsError:
        return read_version(lake, name, version.version)
    return version


def read_version(lake: Lake, name: str, version: str) -> ModelVersion:
    """Return what is known of a version.

    Raises:
        ModelUnusableError: it was never registered completely, or its record is damaged.
    """
    content = lake.find(keys.model_file(name, version, _VERSION_FILE))
    if content is None:
        raise ModelUnusableError(name, version, "it has no version.json, so it is not complete")
    try:
        fields = json.loads(content)
        cut = fields.pop("data_cut")
        return ModelVersion(
            **{**fields, "trained_at": datetime.fromisoformat(fields["trained_at"])},
            data_cut=datetime.fromisoformat(cut) if cut else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelUnusableError(name, version, f"its version.json is damaged: {error}") from error


def read_file(lake: Lake, version: ModelVersion, file: str) -> bytes:
    """Return one file of a version, as it was registered.

    Raises:
        ModelUnusableError: the version has no such file, or its content has changed.
    """
    if file not in version.files:
        raise ModelUnusableError(version.model, version.version, f"it has no file {file}")
    content = lake.find(keys.model_file(version.model, version.version, file))
    if content is None:
        raise ModelUnusableError(version.model, version.version, f"its file {file} is missing")
    if hashlib.sha256(content).hexdigest() != version.files[file]:
        raise ModelUnusableError(version.model, version.version, f"its file {file} has changed")
    return content


def promote(lake: Lake, name: str, version: str, *, at: datetime, reason: str) -> None:
    """Make a version the champion; the one before it retires. Also rolls back to an earlier one.

    Every file is checked first. Promoting the champion again changes nothing.

    Args:
        lake: where.
        name: of the model.
        version: which one.
        at: now (UTC).
        reason: shown beside the version.

    Raises:
        ModelUnusableError: the version is not complete or has changed.
        LakeUnavailableError: the store failed; the champion is the old one or the new one.
    """
    promoted = read_version(lake, name, version)
    for file in promoted.files:
        read_file(lake, promoted, file)
    history = _history(lake, name)
    if history and history[-1]["version"] == version:
        return
    entry = {"version": version, "at": at.astimezone(UTC).isoformat(), "reason": reason}
    pointer = {"version": version, "history": [*history, entry]}
    lake.put(keys.model_champion(name), _to_json(pointer), mode="overwrite")


def reject(lake: Lake, name: str, version: str, *, at: datetime, reason: str) -> None:
    """Record that a candidate is not to be used; a rejection that is there already stays.

    Raises:
        InvalidInputError: the version is or was the champion.
        ModelUnusableError: the version is not complete.
    """
    read_version(lake, name, version)
    if any(entry["version"] == version for entry in _history(lake, name)):
        raise InvalidInputError(
            f"Version {version} of the model {name} is or was the champion; "
            "promote another version instead of rejecting it."
        )
    content = _to_json({"at": at.astimezone(UTC).isoformat(), "reason": reason})
    try:
        lake.put(keys.model_file(name, version, _REJECTION_FILE), content, mode="create")
    except LakeObjectExistsError:
        return


def champion(lake: Lake, name: str) -> ModelVersion | None:
    """Return the version in use, or None before the first promotion.

    Raises:
        ModelUnusableError: the pointer is damaged, or names a version that is not complete.
    """
    history = _history(lake, name)
    return read_version(lake, name, history[-1]["version"]) if history else None


def versions(lake: Lake, name: str) -> pl.DataFrame:
    """Return all complete versions of a model (`VERSIONS_SCHEMA`), oldest first.

    `metrics` is a JSON object. The reason is that of the last decision about the version, or the
    remark at registration. The cost follows the number of versions.

    Raises:
        ModelUnusableError: a record or the pointer is damaged.
    """
    history = _history(lake, name)
    promoted = {entry["version"]: entry["reason"] for entry in history}
    current = history[-1]["version"] if history else None
    listed = lake.list_keys(keys.model_versions(name))
    rows = []
    for key in listed:
        version_id, _, file = key.removeprefix(f"{keys.model_versions(name)}/").rpartition("/")
        if file != _VERSION_FILE:
            continue
        version = read_version(lake, name, version_id)
        rejection = keys.model_file(name, version_id, _REJECTION_FILE)
        status: Status = "candidate"
        reason = version.reason
        if version_id in promoted:
            status = "champion" if version_id == current else "retired"
            reason = promoted[version_id]
        elif rejection in listed:
            status = "rejected"
            reason = json.loads(lake.get(rejection))["reason"]
        rows.append(
            {
                "model": name,
                "version": version_id,
                "trained_at": version.trained_at,
                "trigger": version.trigger,
                "metrics": _to_json(version.metrics).decode(),
                "status": status,
                "reason": reason,
            }
        )
    return pl.DataFrame(rows, schema=VERSIONS_SCHEMA).sort("version")


def _history(lake: Lake, name: str) -> list[dict[str, str]]:
    """Return the promotions so far, the champion's last."""
    content = lake.find(keys.model_champion(name))
    if content is None:
        return []
    try:
        return [
            {field: str(entry[field]) for field in ("version", "at", "reason")}
            for entry in json.loads(content)["history"]
        ]
    except (ValueError, TypeError, KeyError) as error:
        advice = f"Remove {keys.model_champion(name)} from the lake and promote a version."
        problem = f"champion.json is damaged: {error}"
        raise ModelUnusableError(name, "champion", problem, advice) from error


def _to_json(value: Any) -> bytes:
    try:
        return json.dumps(value, default=_instant, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{value!r} is not expressible in JSON: {error}") from error


def _instant(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON type")
