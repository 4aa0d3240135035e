"""What the value of a message says: plain JSON, or JSON or Protobuf with a registry's framing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from feedback_platform.events.schemas.framing import (
    FramingError,
    is_framed,
    read_frame,
    read_schema_id,
)
from feedback_platform.events.schemas.protobuf.decoding import (
    UnreadableMessageError,
    protobuf_decoder,
)
from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    SchemaNotFoundError,
    SchemaType,
)
from feedback_platform.ingestion.schemas import ForeignSchemaError, SchemaSource
from feedback_platform.ingestion.streams.pieces import Piece, json_piece

# A schema that is missing now may be registered soon; until then one question is enough.
_MISSING_SECONDS: Final = 5.0

_Read = Callable[[bytes], Piece]


class MessageDecoder:
    """Decodes the values of a topic's messages; each schema is looked up once.

    A value that cannot be decoded is a piece with a problem, never an exception: it must not hold
    up its neighbours. Only what may pass by itself is raised (TransientError), and what a person
    has to mend before anything can be decoded (SchemaRegistryAccessError).
    """

    def __init__(self, schemas: SchemaSource) -> None:
        self._schemas = schemas
        self._known: dict[int, _Read] = {}
        self._missing: dict[int, float] = {}

    def __call__(self, value: bytes | None) -> list[Piece]:
        """Return the event that a value is, or what is wrong with it."""
        if value is None:
            return [Piece(b"", "no value")]
        if not is_framed(value):
            return [json_piece(value)]
        schema_id = read_schema_id(value)
        read = self._known.get(schema_id) or self._looked_up(schema_id)
        if read is None:
            return [Piece(value, f"schema {schema_id} is not registered")]
        return [read(value)]

    def _looked_up(self, schema_id: int) -> _Read | None:
        if self._missing.get(schema_id, 0.0) > time.monotonic():
            return None
        read: _Read
        try:
            schema = self._schemas.schema(schema_id)
            if schema.schema_type is SchemaType.JSON:
                read = _framed_json
            else:
                decode = protobuf_decoder(schema, self._schemas.referenced)
                read = _protobuf_reader(schema_id, decode)
        except SchemaNotFoundError:
            self._missing[schema_id] = time.monotonic() + _MISSING_SECONDS
            return None
        except ForeignSchemaError:
            read = _refusing(f"schema {schema_id} is neither JSON Schema nor Protobuf")
        except InvalidSchemaError:
            read = _refusing(f"schema {schema_id} cannot be read")
        self._known[schema_id] = read
        return read


def _framed_json(value: bytes) -> Piece:
    piece = json_piece(read_frame(value, is_protobuf=False).payload)
    return piece if piece.problem is None else Piece(value, piece.problem)


def _protobuf_reader(
    schema_id: int, decode: Callable[[bytes, tuple[int, ...]], dict[str, Any]]
) -> _Read:
    def read(value: bytes) -> Piece:
        try:
            frame = read_frame(value, is_protobuf=True)
            return Piece(orjson.dumps(decode(frame.payload, frame.message_indexes)))
        except (FramingError, UnreadableMessageError, orjson.JSONEncodeError):
            return Piece(value, f"not a message of schema {schema_id}")

    return read


def _refusing(problem: str) -> _Read:
    return lambda value: Piece(value, problem)
