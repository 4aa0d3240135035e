"""The address of a webhook and the secret that signs what is sent there, as variables hold them."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from feedback_platform.errors import InvalidSettingError

WEBHOOK_URL = (
    "an http:// or https:// URL of printable ASCII, with a host and no user, password or blank"
)
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
# A shorter key is guessed from one message and its signature.
SHORTEST_WEBHOOK_KEY = 16
_WEBHOOK_SECRET = (
    f"printable ASCII of {SHORTEST_WEBHOOK_KEY} characters at least, or whsec_ and a key of "
    f"{SHORTEST_WEBHOOK_KEY} bytes at least in Base64"
)
_BASE64 = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_PRINTABLE = re.compile(r"[!-~]+")


def signed_webhook(
    name: str, of_secret: str, environment: Mapping[str, str]
) -> tuple[str | None, str]:
    """Return the address and the secret of a webhook; None and nothing where there is none.

    Args:
        name: of the variable with the address.
        of_secret: of the one with what signs.
        environment: the variables.

    Raises:
        InvalidSettingError: one is malformed or missing beside the other.
    """
    text, secret = environment.get(name) or "", environment.get(of_secret) or ""
    if bool(text) != bool(secret):
        missing = name if secret else of_secret
        raise InvalidSettingError(missing, "", f"a value whenever {name} and {of_secret} are used")
    if not text:
        return None, ""
    if not is_callable(text):
        raise InvalidSettingError(name, without_path(text), WEBHOOK_URL)
    if not _is_webhook_secret(secret):
        raise InvalidSettingError(of_secret, "…", _WEBHOOK_SECRET)
    return text, secret


def is_callable(url: str) -> bool:
    """Return whether an HTTP client can take a URL as it is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        is_address = ":" in host and bool(ip_address(host.partition("%")[0]))
    except ValueError:
        return False
    return (
        _PRINTABLE.fullmatch(url) is not None
        and parts.scheme in {"http", "https"}
        and (is_address or _HOST_NAME.fullmatch(host) is not None)
        and port != 0
        and "@" not in parts.netloc
    )


def without_path(url: str) -> str:
    """Return as much of a malformed URL as may be shown: a path may be a secret."""
    scheme, _, rest = url.partition("://")
    authority, *behind = re.split(r"[/?#\s]", rest)
    if not rest or any("@" in each for each in behind):
        # What stands before a later `@` may be half a password.
        return f"{scheme}://" if scheme in {"http", "https"} else "…"
    return f"{scheme}://{authority.rpartition('@')[2]}"


def _is_webhook_secret(secret: str) -> bool:
    key = secret.removeprefix("whsec_")
    if key == secret:
        return len(secret) >= SHORTEST_WEBHOOK_KEY and secret.isascii() and secret.isprintable()
    return _BASE64.fullmatch(key) is not None and len(b64decode(key)) >= SHORTEST_WEBHOOK_KEY
