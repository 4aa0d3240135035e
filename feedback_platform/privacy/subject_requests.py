"""Requests of data subjects that another system sends under an id of its own (OpenDSR).

The erasure is filed under that id. What is kept beside it says when and under which regulation, and
names nobody; so it outlives the erasure.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.lake.tombstones import erased_requests
from feedback_platform.privacy.reports import read_report
from feedback_platform.privacy.requests import ErasureRequest, close_request, read_request

_RANDOM_UUID: Final = 4
# The job begins when a request is filed, and tries again in the night.
_EXPECTED: Final = timedelta(days=1)


class SubjectRequestStatus(StrEnum):
    """How far a request is, in OpenDSR's words."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class SubjectRequest:
    """What is kept of a request.

    Attributes:
        subject_request_id: the sender's.
        regulation: under which it is made.
        submitted_time: when the person asked, as the sender said it.
        received_time: UTC.
        cancelled_time: UTC, or None.
    """

    subject_request_id: str
    regulation: str
    submitted_time: str
    received_time: datetime
    cancelled_time: datetime | None = None

    @property
    def expected_completion_time(self) -> datetime:
        """By when it should be completed."""
        return self.received_time + _EXPECTED


def is_subject_request_id(text: str) -> bool:
    """Return whether a text is an id as OpenDSR wants it: a random UUID in lower case."""
    try:
        parsed = UUID(text)
    except ValueError:
        return False
    return parsed.version == _RANDOM_UUID and str(parsed) == text


def record_subject_request(lake: Lake, request: SubjectRequest) -> None:
    """Keep what there is to say of a request once it is gone."""
    content = json.dumps(asdict(request), default=datetime.isoformat).encode()
    lake.put(keys.subject_request(request.subject_request_id), content, mode="overwrite")


def read_subject_request(lake: Lake, request_id: str) -> SubjectRequest | None:
    """Return what is kept of a request; None of one that never came."""
    stored = lake.find(keys.subject_request(request_id))
    if stored is None:
        return None
    content = json.loads(stored)
    cancelled = content["cancelled_time"]
    return SubjectRequest(
        subject_request_id=content["subject_request_id"],
        regulation=content["regulation"],
        submitted_time=content["submitted_time"],
        received_time=datetime.fromisoformat(content["received_time"]),
        cancelled_time=None if cancelled is None else datetime.fromisoformat(cancelled),
    )


def pending_erasure(lake: Lake, request_id: str) -> ErasureRequest | None:
    """Return the erasure of a request while it is pending."""
    stored = lake.find(keys.erasure_request(request_id))
    return None if stored is None else read_request(stored)


def status_of(lake: Lake, request: SubjectRequest) -> SubjectRequestStatus:
    """Return how far a request is; what was carried out is completed, whoever cancelled it."""
    request_id = request.subject_request_id
    erasure = pending_erasure(lake, request_id)
    if erasure is not None:
        has_begun = erasure.is_resolved or request_id in erased_requests(lake)
        return SubjectRequestStatus.IN_PROGRESS if has_begun else SubjectRequestStatus.PENDING
    if request.cancelled_time is not None and read_report(lake, request_id) is None:
        return SubjectRequestStatus.CANCELLED
    return SubjectRequestStatus.COMPLETED


def cancel(lake: Lake, request: SubjectRequest, *, now: datetime) -> SubjectRequest:
    """Withdraw a request that is pending.

    An erasure that reads it at this instant carries it out all the same, and says so.
    """
    cancelled = replace(request, cancelled_time=now)
    record_subject_request(lake, cancelled)
    close_request(lake, request.subject_request_id)
    return cancelled
