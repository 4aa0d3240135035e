"""OFREP 0.3: flags evaluated for OpenFeature's clients, one or all of them, from memory.

https://openfeature.dev/specification/appendix-c
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qs

import orjson
from starlette.types import Receive, Scope, Send

from feedback_platform.adjustment.flags.context import (
    Context,
    InvalidContextError,
    TargetingKeyMissingError,
    UserFacts,
    context_of,
)
from feedback_platform.adjustment.flags.evaluation import CompiledFlag, Evaluation
from feedback_platform.adjustment.flags.flag_set import FlagSet
from feedback_platform.experiments.running import RunningExperiments
from feedback_platform.ingestion.collector.settings_document import browser_address
from feedback_platform.serving.experiment_tally import ExperimentTally
from feedback_platform.serving.exposures import Exposures
from feedback_platform.serving.flag_experiments import FlagExperiments
from feedback_platform.serving.flag_news import FlagNews
from feedback_platform.serving.ofrep_answers import (
    OfrepRefusal,
    rendered,
    send_body,
    send_preflight,
    send_refusal,
    send_unchanged,
)
from feedback_platform.serving.ofrep_keys import ClientKeys
from feedback_platform.serving.ofrep_requests import (
    INVALID_CONTEXT,
    ClientGoneError,
    sent_context,
)
from feedback_platform.serving.ofrep_stream import FlagStreams

_log = logging.getLogger(__name__)

PREFIX: Final = "/ofrep/"
BULK: Final = "/ofrep/v1/evaluate/flags"
SINGLE: Final = f"{BULK}/"
STREAM: Final = "/ofrep/v1/stream"
_KEY_MISSING: Final = "TARGETING_KEY_MISSING"
_ETAG: Final = re.compile(rb'(?:W/)?("[^"]*")|(\*)')
_RETRY_AFTER: Final = ((b"retry-after", b"2"),)


class Ofrep:
    """Answers the paths under `/ofrep/`, which are told apart before any routing."""

    def __init__(
        self,
        news: FlagNews,
        users: UserFacts,
        keys: ClientKeys,
        streams: FlagStreams,
        exposures: Exposures,
    ) -> None:
        self._news = news
        self._users = users
        self._keys = keys
        self._streams = streams
        self._exposures = exposures
        self._experiments = FlagExperiments(FlagSet(), RunningExperiments())
        # A flag has few outcomes, and each is written once.
        self._rendered: dict[Evaluation, bytes] = {}
        self.assignments = ExperimentTally()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to a path under `/ofrep/`."""
        try:
            await self._answer(scope, receive, send)
        except OfrepRefusal as refusal:
            await send_refusal(send, refusal)
        except ClientGoneError:
            return
        except Exception:  # noqa: BLE001 - logged, and the client is told
            _log.exception("An evaluation of flags met an error nobody foresaw.")
            await send_refusal(send, OfrepRefusal(500, "The server made a mistake."))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        wanted = "GET" if path == STREAM else "POST"
        if not (path in {BULK, STREAM} or (path.startswith(SINGLE) and len(path) > len(SINGLE))):
            raise OfrepRefusal(404, "There is nothing at this path.")
        if method == "OPTIONS":
            await send_preflight(send, b"%s, OPTIONS" % wanted.encode())
        elif method != wanted:
            allowed = ((b"allow", b"%s, OPTIONS" % wanted.encode()),)
            raise OfrepRefusal(405, f"This path takes {wanted}.", headers=allowed)
        elif path == STREAM:
            await self._stream(scope, receive, send)
        elif path == BULK:
            await self._evaluate_all(scope, receive, send)
        else:
            await self._evaluate_one(path[len(SINGLE) :], scope, receive, send)

    async def _evaluate_one(self, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self._keys.client(headers)
        context = self._context(await sent_context(headers, receive, key), key)
        flags = self._flags()
        flag = flags.flags.get(key)
        if flag is None:
            text = f"There is no flag {key[:120]!r}."
            raise OfrepRefusal(404, text, error_code="FLAG_NOT_FOUND", key=key)
        assigned = self._experiments.assigned(flag, context)
        if assigned is not None:
            self.assignments.note(assigned.assignment)
            if context.targeting_key is not None:
                # Who asks for one flag by its name is about to act on it.
                self._exposures.note(context.targeting_key, assigned.assignment)
            await send_body(send, self._render(assigned.evaluation))
            return
        try:
            body = self._render(flag.evaluate(context))
        except TargetingKeyMissingError as error:
            raise OfrepRefusal(400, str(error), error_code=_KEY_MISSING, key=key) from error
        await send_body(send, body)

    async def _evaluate_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        client = self._keys.client(headers)
        context = self._context(await sent_context(headers, receive, None), None)
        await self._news.reach(_known_tag(scope["query_string"]))
        flags = self._flags()
        found = b",".join([self._one_of_all(flag, context) for flag in flags.flags.values()])
        streams = orjson.dumps([{"type": "sse", "url": self._stream_url(scope, client)}])
        body = b'{"flags":[' + found + b'],"eventStreams":' + streams + b"}"
        # Of all that was answered: of the flags' revisions, and of what they are for this context.
        etag = b'"%s"' % blake2b(body, digest_size=16).hexdigest().encode()
        if _matches(headers.get(b"if-none-match"), etag):
            await send_unchanged(send, etag)
        else:
            await send_body(send, body, ((b"etag", etag), (b"cache-control", b"no-cache")))

    def _one_of_all(self, flag: CompiledFlag, context: Context) -> bytes:
        assigned = self._experiments.assigned(flag, context)
        if assigned is not None:
            self.assignments.note(assigned.assignment)
            return self._render(assigned.evaluation)
        try:
            return self._render(flag.evaluate(context))
        except TargetingKeyMissingError as error:
            refusal = OfrepRefusal(400, str(error), error_code=_KEY_MISSING, key=flag.flag.key)
            return orjson.dumps(refusal.content)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=10)
        client = self._keys.client_of(query.get("token", [""])[-1])
        await self._streams(scope, receive, send, client)

    def _context(self, sent: Mapping[str, object], key: str | None) -> Context:
        try:
            return context_of(sent, self._users)
        except InvalidContextError as error:
            raise OfrepRefusal(400, str(error), error_code=INVALID_CONTEXT, key=key) from error

    def _flags(self) -> FlagSet:
        """Return the flags of this moment; the experiments over them are those of the same."""
        flags, experiments = self._news.flags.current, self._news.experiments.experiments
        if flags is None:
            text = "The flags were not read yet, since the store does not answer; try again."
            raise OfrepRefusal(503, text, headers=_RETRY_AFTER)
        known = self._experiments
        if known.flags is not flags or known.experiments is not experiments:
            self._experiments = FlagExperiments(flags, experiments)
            self._rendered = {}
        return flags

    def _render(self, evaluation: Evaluation) -> bytes:
        body = self._rendered.get(evaluation)
        if body is None:
            body = self._rendered[evaluation] = rendered(evaluation)
        return body

    def _stream_url(self, scope: Scope, client: str | None) -> str:
        protocol, host = browser_address(scope)
        token = self._keys.token(client)
        return f"{protocol}://{host}{STREAM}" + ("" if token is None else f"?token={token}")


def _known_tag(query: bytes) -> str:
    """Return how new the flags are that a client was told of (`flagConfigEtag`), if it was."""
    if b"flagConfigEtag" not in query:
        return ""
    try:
        (text,) = parse_qs(query.decode("latin-1"), max_num_fields=10)["flagConfigEtag"]
    except (ValueError, KeyError):
        return ""
    return text


def _matches(if_none_match: bytes | None, etag: bytes) -> bool:
    if if_none_match is None:
        return False
    return any(any_of_them or tag == etag for tag, any_of_them in _ETAG.findall(if_none_match))
