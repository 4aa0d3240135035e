"""Confluent's Kafka client as the consumer needs it: settings, topics, errors with advice."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from feedback_platform.errors import InvalidInputError, PermanentError, TransientError
from feedback_platform.ingestion.streams.partition import short_digest

# The library's own words: for those who set `debug`. What matters is said by this platform.
_library_log = logging.getLogger(f"{__name__}.librdkafka")

_library_log.setLevel(logging.CRITICAL)
_REQUEST_SECONDS: Final = 3.0

# The client's own errors, which it marks by an underscore.
END_OF_PARTITION: Final = KafkaError._PARTITION_EOF  # noqa: SLF001
_INVALID_SETTING: Final = KafkaError._INVALID_ARG  # noqa: SLF001
_NOT_AUTHENTICATED: Final = KafkaError._AUTHENTICATION  # noqa: SLF001
_NO_SUCH_TOPIC: Final = KafkaError._UNKNOWN_TOPIC  # noqa: SLF001

_RESERVED: Final = {
    "bootstrap.servers": "--bootstrap-servers",
    "metadata.broker.list": "--bootstrap-servers",
    "group.id": "--group",
    "enable.auto.commit": None,
    "enable.auto.offset.store": None,
    "enable.partition.eof": None,
}
_DEFAULTS: Final[Mapping[str, Any]] = {
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    # A consumer that was killed gives way within seconds.
    "session.timeout.ms": 15_000,
}
_CREDENTIALS: Final = "check the credentials (-X sasl.username=… and the like)"
_TOPIC: Final = "create the topic, or check --topic"
_REFUSALS: Final = {
    _NOT_AUTHENTICATED: _CREDENTIALS,
    KafkaError.SASL_AUTHENTICATION_FAILED: _CREDENTIALS,
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "check -X sasl.mechanism=…",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "this user needs the right to read the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "this user needs the right to read with the group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "this user lacks rights on the cluster",
    KafkaError.UNKNOWN_TOPIC_OR_PART: _TOPIC,
    _NO_SUCH_TOPIC: _TOPIC,
    KafkaError.TOPIC_EXCEPTION: "check --topic",
    KafkaError.INVALID_GROUP_ID: "check --group",
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: "another kind of consumer uses this --group",
    KafkaError.FENCED_INSTANCE_ID: "another consumer runs under the same group.instance.id",
}


class KafkaUnavailableError(TransientError):
    """The brokers do not do what was asked, for a reason that may pass."""


class KafkaRefusedError(PermanentError):
    """The brokers refuse what was asked, and will again."""


@dataclass(frozen=True)
class KafkaSource:
    """What to read, and from whom.

    Attributes:
        bootstrap_servers: brokers to begin with, `host:port,host:port`.
        topics: what to read.
        group: the consumer group; its members share the partitions.
        settings: of librdkafka, by name; may hold secrets.
    """

    bootstrap_servers: str
    topics: tuple[str, ...]
    group: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


def open_consumer(source: KafkaSource, on_error: Any) -> Consumer:
    """Return a consumer that commits only what it is told to.

    Raises:
        InvalidInputError: a setting is unknown or has a value that librdkafka does not accept.
    """
    _check(source.settings)
    settings = {
        **_DEFAULTS,
        **source.settings,
        "bootstrap.servers": source.bootstrap_servers,
        "group.id": source.group,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "error_cb": on_error,
    }
    if settings.get("group.protocol") == "consumer":
        for classic in ("partition.assignment.strategy", "session.timeout.ms"):
            if classic not in source.settings:
                del settings[classic]
    if "debug" in settings:
        _library_log.setLevel(logging.DEBUG)
    try:
        return Consumer(settings, logger=_library_log)
    except KafkaException as error:
        raise _invalid(error) from error


def topic_incarnations(source: KafkaSource, topics: Collection[str]) -> dict[str, str]:
    """Return 8 hexadecimal digits of each topic; one that was deleted and made anew has others.

    Raises:
        KafkaRefusedError: a topic does not exist, or may not be read.
        KafkaUnavailableError: no broker answers.
    """
    settings: dict[str, Any] = {
        **source.settings,
        "bootstrap.servers": source.bootstrap_servers,
    }
    try:
        admin = AdminClient(settings, logger=_library_log)
        described = admin.describe_topics(
            TopicCollection(list(topics)), request_timeout=_REQUEST_SECONDS
        )
        return {
            topic: short_digest(str(found.result().topic_id)) for topic, found in described.items()
        }
    except KafkaException as error:
        raise translated(error, source) from error


def refusal(error: KafkaError, source: KafkaSource) -> KafkaRefusedError | None:
    """Return what a person has to do about an error, or None where it may pass by itself."""
    advice = _REFUSALS.get(error.code())
    if advice is None and not error.fatal():
        return None
    return KafkaRefusedError(
        f"Kafka at {source.bootstrap_servers} refuses: {_text(error)}"
        f"{f'; {advice}' if advice else ''}."
    )


def translated(raised: KafkaException, source: KafkaSource) -> PermanentError | TransientError:
    """Return this platform's exception for one of the client."""
    error = raised.args[0]
    if error.code() == _INVALID_SETTING:
        return _invalid(raised)
    return refusal(error, source) or KafkaUnavailableError(
        f"Kafka at {source.bootstrap_servers} failed: {_text(error)}."
    )


def _check(settings: Mapping[str, str]) -> None:
    for name in settings:
        if name in _RESERVED:
            option = _RESERVED[name]
            instead = f"use {option} instead" if option else "the platform decides it"
            raise InvalidInputError(f"-X {name} cannot be set: {instead}.")


def _invalid(error: KafkaException) -> InvalidInputError:
    return InvalidInputError(f"A Kafka setting cannot be used: {_text(error.args[0])}.")


def _text(error: KafkaError) -> str:
    return str(error.str()).strip().partition("\n")[0].rstrip(".")
