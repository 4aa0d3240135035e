"""Starting the dashboard's server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from feedback_platform.dashboard.theme import streamlit_theme

SCRIPT: Final = Path(__file__).parent / "entry" / "dashboard.py"
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")


def run_dashboard(
    published_path: Path, host: str, port: int, *, public_hosts: Sequence[str], is_local: bool
) -> None:
    """Serve the dashboard until a signal says to stop.

    Args:
        published_path: the published database; it need not be there yet.
        host, port: where it listens.
        public_hosts: by which names a proxy's visitors know it.
        is_local: whether only programs on this machine reach the host.
    """
    # Importing it takes a second, which no other command should pay.
    from streamlit.web import bootstrap  # noqa: PLC0415

    options = {
        each.replace(".", "_"): value
        for each, value in streamlit_options(host, port, public_hosts, is_local=is_local).items()
    }
    bootstrap.load_config_options(options)
    bootstrap.run(
        str(SCRIPT), is_hello=False, args=[os.fspath(published_path)], flag_options=options
    )


def streamlit_options(
    host: str, port: int, public_hosts: Sequence[str], *, is_local: bool
) -> dict[str, Any]:
    """Return how Streamlit is set up, by its own names; what is said here no file overrides."""
    names = [*_THIS_MACHINE, *public_hosts] if is_local or public_hosts else []
    return {
        "server.address": host,
        "server.port": port,
        # No browser is opened and no e-mail address asked for.
        "server.headless": True,
        "server.showEmailPrompt": False,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        # A page elsewhere whose name leads here (DNS rebinding) gets no answer.
        "server.allowedHosts": names,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.allowRunOnSave": False,
        "server.enableStaticServing": False,
        "server.maxUploadSize": 1,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        # An error that nobody foresaw tells visitors nothing of this machine.
        "client.showErrorDetails": "none",
        "global.developmentMode": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "warning",
        "runner.magicEnabled": False,
        **streamlit_theme(),
    }
