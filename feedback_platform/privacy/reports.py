"""What is kept of an erasure: counts, times and digests, and nobody's id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.layers import LayerErasure
from feedback_platform.privacy.proof import ScannedLayer
from feedback_platform.privacy.requests import ErasureRequest


@dataclass(frozen=True)
class ErasureReport:
    """The proof that a request was carried out.

    Attributes:
        request_ids: the requests that were carried out together.
        requested_at: the newest of them (UTC).
        done_at: UTC.
        through: the batch that marks the erasure.
        users, devices: how many were erased.
        shared: how many of these ids others have as well, or who came back, so that they were not
            looked for; rows of theirs were.
        indistinct: how many ids were not looked for byte by byte, but in the fields that hold ids
            alone: they are short, words, or numbers.
        mentions: in how many lines and values others name them; these stay as others said them.
        written: how many of the ids stand in what people wrote, flags, experiments and adjustments,
            by its key; that stays, until somebody changes it.
        layers: what was done.
        scanned: what was read afterwards, and held none of the ids.
    """

    request_ids: list[str]
    requested_at: datetime
    done_at: datetime
    through: int
    users: int
    devices: int
    shared: int
    indistinct: int
    mentions: int
    written: Mapping[str, int]
    layers: list[LayerErasure]
    scanned: list[ScannedLayer]

    @property
    def content(self) -> dict[str, Any]:
        """The report as JSON has it, with a digest of all else in it."""
        facts = json.loads(json.dumps(asdict(self), default=datetime.isoformat))
        text = json.dumps(facts, sort_keys=True).encode()
        return {**facts, "traces": 0, "digest": hashlib.sha256(text).hexdigest()}


def write_reports(lake: Lake, report: ErasureReport, requests: Sequence[ErasureRequest]) -> None:
    """Keep the report under each of its requests."""
    content = json.dumps(report.content, indent=1).encode()
    for request in requests:
        lake.put(keys.erasure_report(request.request_id), content, mode="overwrite")


def read_report(lake: Lake, request_id: str) -> dict[str, Any] | None:
    """Return what was done for a request; None while it is pending, or unknown."""
    stored = lake.find(keys.erasure_report(request_id))
    return None if stored is None else json.loads(stored)
