"""OpenDSR: another system sends requests to be erased, and asks how far they are.

https://github.com/opengdpr/OpenDSR/blob/master/specification.md
Answers are not signed, so there is no certificate in the discovery; nobody is called back.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from feedback_platform.errors import InvalidInputError, LakeObjectExistsError
from feedback_platform.ingestion.collector.answers import method_not_allowed
from feedback_platform.ingestion.collector.documents import decoded
from feedback_platform.ingestion.collector.refusals import RequestRefusedError, SenderGoneError
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.requests import ErasureRequest
from feedback_platform.privacy.subject_requests import (
    SubjectRequest,
    SubjectRequestStatus,
    cancel,
    is_subject_request_id,
    pending_erasure,
    read_subject_request,
    record_subject_request,
    status_of,
)
from feedback_platform.serving.access import Access, AccessDeniedError
from feedback_platform.serving.erasures import Erasures
from feedback_platform.serving.opendsr_requests import ERASURE, IDENTITY, SentRequest, sent_request
from feedback_platform.serving.store_calls import StoreCalls
from feedback_platform.serving.user_answers import send_json, send_refusal

PREFIX: Final = "/opendsr/"
DISCOVERY: Final = "/opendsr/discovery"
REQUESTS: Final = "/opendsr/requests"
API_VERSION: Final = "3.0"
MAX_BODY_BYTES: Final = 64 * 1024
# One installation serves one controller.
_CONTROLLER: Final = "feedback-platform"
_JSON: Final = b"application/json"
_DISCOVERED: Final = {
    "api_version": API_VERSION,
    "supported_identities": [IDENTITY],
    "supported_subject_request_types": [ERASURE],
}


class OpenDsr:
    """Answers the paths under `/opendsr/`, all of them to administrators."""

    def __init__(self, lake: Lake, station: Station, access: Access, erasures: Erasures) -> None:
        self._lake = lake
        self._station = station
        self._access = access
        self._erasures = erasures
        self._store = StoreCalls("subject-requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to a path under `/opendsr/`."""
        try:
            await self._answer(scope, receive, send)
        except (RequestRefusedError, AccessDeniedError) as refusal:
            await send_refusal(send, refusal)
        except SenderGoneError:
            return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        request_id = path.removeprefix(f"{REQUESTS}/") if path.startswith(f"{REQUESTS}/") else None
        if request_id is not None:
            methods: tuple[str, ...] = ("GET", "DELETE")
        elif path in {DISCOVERY, REQUESTS}:
            methods = ("GET",) if path == DISCOVERY else ("POST",)
        else:
            raise RequestRefusedError(404, "not_found", "There is nothing at this path.")
        if method not in methods:
            raise method_not_allowed(methods)
        headers = dict(scope["headers"])
        self._access.check_administrator(headers)
        if request_id is not None:
            request = await self._known(request_id)
            answer = self._cancelled if method == "DELETE" else self._status
            status, content = await answer(request)
            await send_json(send, status, content)
        elif path == DISCOVERY:
            await send_json(send, 200, _DISCOVERED)
        else:
            await send_json(send, 201, await self._received(headers, receive))

    async def _received(self, headers: Mapping[bytes, bytes], receive: Receive) -> dict[str, Any]:
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type != _JSON:
            # Anything else a page of another origin may send without asking first.
            text = "Send the request as application/json."
            raise RequestRefusedError(415, "unsupported_media_type", text)
        bodies = self._station.bodies
        async with bodies.reading(headers, receive, most=MAX_BODY_BYTES, too_large=413) as body:
            try:
                sent = sent_request(decoded(body))
            except InvalidInputError as error:
                raise RequestRefusedError(400, "invalid_request", str(error)) from error
            request = await self._filed(sent)
            return {
                "controller_id": _CONTROLLER,
                "subject_request_id": request.subject_request_id,
                "received_time": _written(request.received_time),
                "expected_completion_time": _written(request.expected_completion_time),
                "encoded_request": base64.b64encode(body).decode(),
                "api_version": API_VERSION,
            }

    async def _filed(self, sent: SentRequest) -> SubjectRequest:
        """File the erasure of a request, or find the one that an earlier attempt has filed."""
        request_id = sent.subject_request_id
        known = await self._store.run(partial(read_subject_request, self._lake, request_id))
        if known is None:
            try:
                erasure = await self._erasures.file(sent.user_ids, request_id)
            except LakeObjectExistsError:
                erasure = await self._pending(request_id, sent)
            known = SubjectRequest(
                request_id, sent.regulation, sent.submitted_time, erasure.requested_at
            )
            await self._store.run(partial(record_subject_request, self._lake, known))
        else:
            await self._pending(request_id, sent)
        return known

    async def _pending(self, request_id: str, sent: SentRequest) -> ErasureRequest:
        """Return the erasure under an id if it is of the users of a request.

        Raises:
            RequestRefusedError: it is of others, or is done or cancelled (409).
        """
        erasure = await self._store.run(partial(pending_erasure, self._lake, request_id))
        if erasure is None or not erasure.layer_users.issuperset(sent.user_ids):
            text = "Another request came under this subject_request_id; each needs one of its own."
            raise RequestRefusedError(409, "known_request", text)
        return erasure

    async def _status(self, request: SubjectRequest) -> tuple[int, dict[str, Any]]:
        status = await self._store.run(partial(status_of, self._lake, request))
        return 200, {
            "controller_id": _CONTROLLER,
            "subject_request_id": request.subject_request_id,
            "request_status": status,
            "expected_completion_time": _written(request.expected_completion_time),
            "api_version": API_VERSION,
        }

    async def _cancelled(self, request: SubjectRequest) -> tuple[int, dict[str, Any]]:
        status = await self._store.run(partial(status_of, self._lake, request))
        if status not in {SubjectRequestStatus.PENDING, SubjectRequestStatus.CANCELLED}:
            text = f"The request is {status}; only one that is pending can be cancelled."
            raise RequestRefusedError(409, "not_pending", text)
        now, _ = self._station.now()
        if status is SubjectRequestStatus.PENDING:
            await self._store.run(partial(cancel, self._lake, request, now=now))
        return 202, {
            "controller_id": _CONTROLLER,
            "subject_request_id": request.subject_request_id,
            "received_time": _written(now),
            "api_version": API_VERSION,
        }

    async def _known(self, request_id: str) -> SubjectRequest:
        if is_subject_request_id(request_id):
            found = await self._store.run(partial(read_subject_request, self._lake, request_id))
            if found is not None:
                return found
        raise RequestRefusedError(404, "not_found", "There is no request of this id.")


def _written(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
