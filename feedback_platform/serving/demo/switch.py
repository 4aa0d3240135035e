"""Whether a server serves the demo page: one for trying out does, and one that was told to."""

from __future__ import annotations

from typing import Final

from feedback_platform.errors import InvalidSettingError
from feedback_platform.settings import Settings

_NAME: Final = "FEEDBACK_DEMO"
# Whoever opens the page learns it, as of any page; so it has one of its own, to be taken away.
WRITE_KEY: Final = "demo"


def serves_demo(settings: Settings) -> bool:
    """Return whether the page is served.

    Left to itself, it is on where there are no keys and no secret: everybody may do everything
    there, so the page opens nothing. Elsewhere somebody has to want it.

    Raises:
        InvalidSettingError: it is on, and what it needs to send and to ask is missing.
    """
    if settings.demo == "auto":
        return not (settings.write_keys or settings.api_keys or settings.user_token_secrets)
    if settings.demo == "off":
        return False
    if settings.write_keys and WRITE_KEY not in settings.write_keys:
        accepts = f"off, unless FEEDBACK_WRITE_KEYS has a key named {WRITE_KEY} for the page"
        raise InvalidSettingError(_NAME, settings.demo, accepts)
    if settings.api_keys and not settings.user_token_secrets:
        accepts = "off, unless FEEDBACK_USER_TOKEN_SECRET signs the tokens of those who are played"
        raise InvalidSettingError(_NAME, settings.demo, accepts)
    return True
