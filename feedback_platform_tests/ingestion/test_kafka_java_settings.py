from __future__ import annotations

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.ingestion.kafka_java_settings import java_settings


def test_nothing_chosen_is_nothing_set() -> None:
    assert java_settings({}) == {}


def test_a_login_becomes_a_login_module() -> None:
    settings = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "reader",
        "sasl.password": 'quo"te\\',
        "ssl.ca.location": "/etc/ca.pem",
    }

    assert java_settings(settings) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="reader" password="quo\\"te\\\\";',
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": "/etc/ca.pem",
    }


def test_a_name_and_a_password_alone_are_plain() -> None:
    java = java_settings({"sasl.username": "u", "sasl.password": "p"})

    assert java["sasl.mechanism"] == "PLAIN"
    assert java["sasl.jaas.config"].startswith("org.apache.kafka.common.security.plain.Plain")


def test_what_has_no_counterpart_is_refused_without_its_value() -> None:
    with pytest.raises(InvalidInputError, match=r"-X ssl\.key\.password .* takes sasl") as caught:
        java_settings({"ssl.key.password": "secret"})

    assert "secret" not in str(caught.value)
