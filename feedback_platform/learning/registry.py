"""Model versions in the lake: what was trained, from what, how good it was, and its files.

A version is a directory. Its `version.json` is written last and makes it count; it lists the
other files with their checksums, and carries one of its own, so a reader knows whether it has all
of them as they were written. Nothing in a version changes afterwards, but that users who are erased
leave it. What was decided about versions is in `champions`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from feedback_platform.errors import InvalidInputError, LakeObjectExistsError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning.model_version import (
    Lineage,
    Metrics,
    ModelUnusableError,
    ModelVersion,
)

PARAMETERS_FILE: Final = "parameters.json"
METRICS_FILE: Final = "metrics.json"
VERSION_FILE: Final = "version.json"
REJECTION_FILE: Final = "rejected.json"
_RESERVED = {PARAMETERS_FILE, METRICS_FILE, VERSION_FILE, REJECTION_FILE}
_CHECKSUM = "checksum"
_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_OF_A_VERSION = {known.name for known in fields(ModelVersion)}
_OF_LINEAGE = {known.name for known in fields(Lineage)}


def register(
    lake: Lake,
    name: str,
    *,
    files: Mapping[str, bytes],
    trained_at: datetime,
    trigger: str,
    metrics: Metrics,
    parameters: Mapping[str, Any],
    lineage: Lineage | None = None,
    decision: Mapping[str, Any] | None = None,
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
        lineage: what it was made from.
        decision: what the gate said and why; what JSON can express.
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
    stored = {**files, PARAMETERS_FILE: to_json(parameters), METRICS_FILE: to_json(metrics)}
    checksums = {file: hashlib.sha256(data).hexdigest() for file, data in sorted(stored.items())}
    instant = trained_at.astimezone(UTC)
    content = hashlib.sha256(to_json(checksums)).hexdigest()
    version = ModelVersion(
        model=name,
        version=f"{instant:%Y%m%dT%H%M%S}{instant.microsecond // 1000:03d}Z-{content[:6]}",
        trained_at=instant,
        trigger=trigger,
        metrics=metrics,
        parameters=parameters,
        files=checksums,
        reason=reason,
        lineage=lineage or Lineage(),
        decision=decision,
    )
    record = to_json(signed(asdict(version)))
    for file, data in stored.items():
        # The id names the content, so what an earlier attempt left is replaced by the same.
        lake.put(keys.model_file(name, version.version, file), data, mode="overwrite")
    try:
        lake.put(keys.model_file(name, version.version, VERSION_FILE), record, mode="create")
    except LakeObjectExistsError:
        return read_version(lake, name, version.version)
    return version


def read_version(lake: Lake, name: str, version: str) -> ModelVersion:
    """Return what is known of a version, whichever release registered it.

    Raises:
        ModelUnusableError: it was never registered completely, or its record is damaged.
    """
    content = lake.find(keys.model_file(name, version, VERSION_FILE))
    if content is None:
        raise ModelUnusableError(name, version, "it has no version.json, so it is not complete")
    try:
        stored = json.loads(content)
        if stored.get(_CHECKSUM) not in {None, signed(stored)[_CHECKSUM]}:
            raise ModelUnusableError(name, version, "its version.json has changed")
        # Before there was a lineage, the data cut stood in the record itself.
        lineage = {"data_cut": stored.get("data_cut"), **(stored.get("lineage") or {})}
        cut = lineage["data_cut"]
        lineage["data_cut"] = datetime.fromisoformat(cut) if cut else None
        record = {
            **stored,
            "trained_at": datetime.fromisoformat(stored["trained_at"]),
            "lineage": Lineage(**{k: lineage[k] for k in lineage.keys() & _OF_LINEAGE}),
        }
        # A later release may have written more; what is not known here is not needed here.
        return ModelVersion(**{k: record[k] for k in record.keys() & _OF_A_VERSION})
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
    if not _is_of(version, file, content):
        # Users may have been erased from it since the record was read.
        present = read_version(lake, version.model, version.version)
        if not _is_of(present, file, content):
            raise ModelUnusableError(version.model, version.version, f"its file {file} has changed")
    return content


def replace_files(lake: Lake, version: ModelVersion, files: Mapping[str, bytes]) -> ModelVersion:
    """Put other content in the place of some files of a version: without users who were erased.

    At each instant the version is intact: first its record says that either content is right, then
    the files change, then the record forgets the old ones. It may be done again after a crash.

    Args:
        lake: where.
        version: whose files.
        files: name → content, of files that it has.
    """
    digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    for file, digest in digests.items():
        # An attempt that was cut short may have left either content.
        found = lake.find(keys.model_file(version.model, version.version, file))
        kept = hashlib.sha256(found).hexdigest() if found is not None else version.files[file]
        version = replace(
            version,
            files={**version.files, file: kept},
            replacing={**version.replacing, file: digest},
        )
    _put_record(lake, version)
    for file, data in files.items():
        lake.put(keys.model_file(version.model, version.version, file), data, mode="overwrite")
    others = {file: sha for file, sha in version.replacing.items() if file not in digests}
    done = replace(version, files={**version.files, **digests}, replacing=others)
    _put_record(lake, done)
    return done


def withdraw(lake: Lake, version: ModelVersion) -> None:
    """Take a version back that was just registered, before anybody uses it."""
    names = [VERSION_FILE, *version.files]
    lake.delete([keys.model_file(version.model, version.version, name) for name in names])


def _put_record(lake: Lake, version: ModelVersion) -> None:
    record = to_json(signed(asdict(version)))
    key = keys.model_file(version.model, version.version, VERSION_FILE)
    lake.put(key, record, mode="overwrite")


def _is_of(version: ModelVersion, file: str, content: bytes) -> bool:
    digest = hashlib.sha256(content).hexdigest()
    return digest in {version.files.get(file), version.replacing.get(file)}


def read_intact(lake: Lake, name: str, version: str) -> ModelVersion:
    """Return what is known of a version after a look at every file of it.

    Raises:
        ModelUnusableError: its record or a file is missing, or is not what was registered.
    """
    found = read_version(lake, name, version)
    for file in found.files:
        read_file(lake, found, file)
    return found


def version_ids(lake: Lake, name: str) -> list[str]:
    """Return the ids of the versions that were registered completely, oldest first."""
    prefix = keys.model_versions(name)
    listed = [key.removeprefix(f"{prefix}/").rpartition("/") for key in lake.list_keys(prefix)]
    return sorted(version for version, _, file in listed if file == VERSION_FILE)


def signed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the checksum of all else in it."""
    content = {name: value for name, value in record.items() if name != _CHECKSUM}
    return {**content, _CHECKSUM: hashlib.sha256(to_json(content)).hexdigest()}


def to_json(value: Any) -> bytes:
    """Return a value as the registry writes it: the same value, the same bytes.

    Raises:
        InvalidInputError: JSON cannot express it.
    """
    try:
        return json.dumps(value, default=_instant, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{value!r} is not expressible in JSON: {error}") from error


def _instant(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON type")
