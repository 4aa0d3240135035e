"""The secrets of those who may send, administer or speak for a user, as variables hold them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from feedback_platform.errors import InvalidSettingError

_SECRET = re.compile(r"((?P<name>[a-z0-9]+(-[a-z0-9]+)*):)?(?P<secret>[!-+\--9;-~]{1,200})")
# As long as what HMAC with SHA-256 makes (RFC 7518, 3.2).
SHORTEST_USER_TOKEN_SECRET = 32
_USER_TOKEN_SECRET = re.compile(rf"[!-+\--~]{{{SHORTEST_USER_TOKEN_SECRET},200}}")
_MOST_USER_TOKEN_SECRETS = 2


def secrets_by_name(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return secrets by name from `name:secret,name:secret`; one without a name is numbered.

    Raises:
        InvalidSettingError: one is malformed, or a name or a secret appears twice.
    """
    text = environment.get(name, "").strip()
    secrets: dict[str, str] = {}
    for number, pair in enumerate(
        filter(None, (part.strip() for part in text.split(","))), start=1
    ):
        found = _SECRET.fullmatch(pair)
        called = (found and found["name"]) or f"key-{number}"
        if found is None or called in secrets or found["secret"] in secrets.values():
            # The value stays out of the message: it is made of secrets.
            raise InvalidSettingError(
                name,
                "…",
                "secrets separated by commas, each with a name before it if it is to have one, "
                "such as web:4f9c2e81; names are lower-case letters, digits and dashes, secrets "
                "printable without comma and colon, and neither appears twice",
            )
        secrets[called] = found["secret"]
    return secrets


def user_token_secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return what tokens may be signed with; while it changes, the new secret before the old.

    Raises:
        InvalidSettingError: one is malformed, or there are more than these two.
    """
    name = "FEEDBACK_USER_TOKEN_SECRET"
    text = environment.get(name, "").strip()
    found = tuple(part.strip() for part in text.split(",")) if text else ()
    is_sound = all(map(_USER_TOKEN_SECRET.fullmatch, found)) and len(set(found)) == len(found)
    if not is_sound or len(found) > _MOST_USER_TOKEN_SECRETS:
        raise InvalidSettingError(
            name,
            "…",
            f"{SHORTEST_USER_TOKEN_SECRET} to 200 characters of printable ASCII without a comma; "
            "while it is changed, the new one, a comma and the old one",
        )
    return found
