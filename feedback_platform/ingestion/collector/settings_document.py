"""GET /v1/projects/{writeKey}/settings: what Segment's browser library asks for before it sends."""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from feedback_platform.ingestion.collector.answers import send_json
from feedback_platform.ingestion.collector.station import Station

PREFIX: Final = "/v1/projects/"
SUFFIX: Final = "/settings"
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
# The document names the address under which it was asked for; no cache may hand it to others.
_HEADERS: Final = ((b"cache-control", b"private, max-age=300"),)


def is_settings_path(path: str) -> bool:
    """Return whether a path asks for the settings of a write key."""
    return path.startswith(PREFIX) and path.endswith(SUFFIX) and len(path) > len(PREFIX + SUFFIX)


class SettingsDocument:
    """Points the browser library at the server it asked."""

    def __init__(self, station: Station) -> None:
        self._station = station

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer with the settings of the key in the path."""
        key = scope["path"][len(PREFIX) : -len(SUFFIX)]
        # The key stands in the path here, and only there.
        self._station.keys.sender({}, key)
        await send_json(send, 200, settings_document(key, *browser_address(scope)), _HEADERS)


def settings_document(write_key: str, protocol: str, host: str) -> dict[str, Any]:
    """Return the settings: no integration but the sending itself.

    Args:
        write_key: that the library sends with.
        protocol: http or https, as the browser sees it.
        host: and port, as the browser sees them.
    """
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": write_key,
                "apiHost": f"{host}/v1",
                "protocol": protocol,
                "deliveryStrategy": {"strategy": "standard"},
                "addBundledMetadata": True,
                "unbundledIntegrations": [],
                "maybeBundledConfigIds": {},
            }
        },
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def browser_address(scope: Scope) -> tuple[str, str]:
    """Return protocol and host as the browser used them; a proxy in front says which."""
    headers = dict(scope["headers"])
    forwarded = headers.get(b"x-forwarded-proto", b"").decode("latin-1").partition(",")[0].strip()
    protocol = forwarded if forwarded in {"http", "https"} else scope["scheme"]
    host = headers.get(b"host", b"").decode("latin-1")
    if not _HOST.fullmatch(host):
        name, port = scope["server"]
        host = f"{name}:{port}"
    return protocol, host
