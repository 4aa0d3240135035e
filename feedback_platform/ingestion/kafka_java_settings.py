"""The settings of Kafka's Java client, which Spark uses, for those of librdkafka."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from feedback_platform.errors import InvalidInputError

_MECHANISM: Final = {"sasl.mechanism", "sasl.mechanisms"}
_LOGIN: Final = {"sasl.username", "sasl.password"}
_SAME: Final = {"security.protocol", "ssl.endpoint.identification.algorithm"}
_AUTHORITY: Final = "ssl.ca.location"
_KNOWN: Final = sorted(_MECHANISM | _LOGIN | _SAME | {_AUTHORITY})
_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"


def java_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what the Java client calls the settings that say who reads, and how safely.

    Args:
        settings: of librdkafka, by name; may hold secrets.

    Raises:
        InvalidInputError: one has no counterpart here.
    """
    if unknown := sorted(settings.keys() - set(_KNOWN)):
        raise InvalidInputError(
            f"-X {unknown[0]} cannot be set for a Spark job; it takes {', '.join(_KNOWN)}."
        )
    java = {name: settings[name] for name in _SAME & settings.keys()}
    mechanism = next((settings[name] for name in _MECHANISM & settings.keys()), "PLAIN")
    if settings.keys() & (_MECHANISM | _LOGIN):
        java["sasl.mechanism"] = mechanism
        java["sasl.jaas.config"] = _login(mechanism, settings)
    if _AUTHORITY in settings:
        java["ssl.truststore.type"] = "PEM"
        java["ssl.truststore.location"] = settings[_AUTHORITY]
    return java


def _login(mechanism: str, settings: Mapping[str, str]) -> str:
    module = _SCRAM if mechanism.startswith("SCRAM-") else _PLAIN
    pairs = {name: settings.get(f"sasl.{name}", "") for name in ("username", "password")}
    options = " ".join(f'{name}="{_quoted(value)}"' for name, value in pairs.items())
    return f"{module} required {options};"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
