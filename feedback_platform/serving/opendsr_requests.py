"""What another system asks by OpenDSR, checked; see `opendsr`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.privacy.requests import check_user_id
from feedback_platform.privacy.subject_requests import is_subject_request_id

ERASURE: Final = "erasure"
REGULATIONS: Final = ("gdpr", "ccpa")
IDENTITY: Final = {"identity_type": "controller_customer_id", "identity_format": "raw"}
MAX_IDENTITIES: Final = 100
_TYPES: Final = (ERASURE, "access", "portability")
_CALLBACKS: Final = ("status_callback_urls", "status_callback_url")


@dataclass(frozen=True)
class SentRequest:
    """A request that can be carried out.

    Attributes:
        subject_request_id: the sender's.
        regulation: under which it is made.
        submitted_time: as it was sent.
        user_ids: whom it is about.
    """

    subject_request_id: str
    regulation: str
    submitted_time: str
    user_ids: tuple[str, ...] = field(repr=False)


def sent_request(content: Any) -> SentRequest:
    """Return what was asked.

    Raises:
        InvalidInputError: a member is missing or none that is accepted; the text names it.
    """
    if not isinstance(content, dict):
        raise InvalidInputError("The body is not a JSON object.")
    request_id = content.get("subject_request_id")
    if not isinstance(request_id, str) or not is_subject_request_id(request_id):
        raise InvalidInputError("subject_request_id accepts a random UUID (v4) in lower case.")
    regulation = content.get("regulation")
    if regulation not in REGULATIONS:
        raise InvalidInputError(f"regulation accepts {' or '.join(REGULATIONS)}.")
    _check_type(content.get("subject_request_type"))
    for name in _CALLBACKS:
        if content.get(name):
            raise InvalidInputError(
                f"{name} is not called: whoever may write it could have this server call any "
                "address of its network. Leave it out, and ask GET /opendsr/requests/"
                "{subject_request_id} for the status."
            )
    return SentRequest(
        request_id,
        regulation,
        _checked_time(content.get("submitted_time")),
        _user_ids(content.get("subject_identities")),
    )


def _check_type(value: Any) -> None:
    if value not in _TYPES:
        raise InvalidInputError(f"subject_request_type accepts {ERASURE}.")
    if value != ERASURE:
        raise InvalidInputError(
            f"subject_request_type {value} is not supported here: GET /v1/users/{{user_id}}/data "
            "gives everything that is known of a user, with the same key."
        )


def _checked_time(value: Any) -> str:
    try:
        is_time = isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        is_time = False
    if not is_time:
        raise InvalidInputError(
            "submitted_time accepts a time such as 2026-11-26T12:00:00Z, with its time zone."
        )
    return str(value)


def _user_ids(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_IDENTITIES:
        raise InvalidInputError(
            f"subject_identities accepts an array of 1 to {MAX_IDENTITIES} identities."
        )
    return tuple(map(_user_id, value))


def _user_id(identity: Any) -> str:
    known = identity if isinstance(identity, dict) else {}
    if known.get("identity_type") != IDENTITY["identity_type"]:
        raise InvalidInputError(
            f"identity_type accepts {IDENTITY['identity_type']}: the user's id as events have it."
        )
    # Many leave the format out, since they know no other.
    if known.get("identity_format", IDENTITY["identity_format"]) != IDENTITY["identity_format"]:
        raise InvalidInputError(f"identity_format accepts {IDENTITY['identity_format']}.")
    user_id = known.get("identity_value")
    if not isinstance(user_id, str):
        raise InvalidInputError("identity_value accepts the id of a user, or anonymous:DEVICE.")
    check_user_id(user_id)
    return user_id
