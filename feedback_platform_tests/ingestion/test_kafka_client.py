from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from feedback_platform.errors import InvalidInputError
from feedback_platform.ingestion.kafka_client import (
    KafkaRefusedError,
    KafkaSource,
    KafkaUnavailableError,
    open_consumer,
    refusal,
    translated,
)


def source(**settings: str) -> KafkaSource:
    named = {name.replace("_", "."): value for name, value in settings.items()}
    return KafkaSource("127.0.0.1:9", ("events",), "group", named)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"no_such_thing": "1"}, "No such configuration property"),
        ({"session_timeout_ms": "soon"}, "session.timeout.ms"),
        ({"group_id": "other"}, "-X group.id cannot be set: use --group instead"),
        ({"enable_auto_commit": "true"}, "-X enable.auto.commit cannot be set: the platform"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        open_consumer(source(**settings), lambda _: None)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_either_protocol_of_consumer_groups_can_be_chosen(protocol: str) -> None:
    open_consumer(source(group_protocol=protocol), lambda _: None).close()


def test_settings_do_not_show_their_secrets() -> None:
    assert "hidden" not in repr(source(ssl_key_pem="hidden"))


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaRefusedError, "create the topic"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaRefusedError, "the right to read the topic"),
        (KafkaError._AUTHENTICATION, KafkaRefusedError, "check the credentials"),
        (KafkaError._TRANSPORT, KafkaUnavailableError, "Kafka at 127.0.0.1:9 failed"),
        (KafkaError.REBALANCE_IN_PROGRESS, KafkaUnavailableError, "failed"),
        (KafkaError._INVALID_ARG, InvalidInputError, "A Kafka setting cannot be used"),
    ],
)
def test_errors_tell_what_may_pass_from_what_needs_a_person(
    code: int, kind: type[Exception], text: str
) -> None:
    error = translated(KafkaException(KafkaError(code)), source())
    assert type(error) is kind
    assert text in str(error)


def test_a_fatal_error_is_a_refusal_whatever_it_is() -> None:
    assert refusal(KafkaError(KafkaError._TRANSPORT), source()) is None
    assert refusal(KafkaError(KafkaError._TRANSPORT, fatal=True), source()) is not None
