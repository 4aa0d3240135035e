"""What the launcher and the warm process say to each other: JSON, over a socket of their own.

Not on a command line: the reference of an instance may hold the password of its database.
"""

import json
from multiprocessing.connection import Connection
from typing import Any, Final

# Launcher to warm process: the code to load, and then each run.
LOAD: Final = "load"
RUN: Final = "run"
# And back.
READY: Final = "ready"
STARTED: Final = "started"
STALE: Final = "stale"
REFUSED: Final = "refused"
THREADED: Final = "threaded"


def send(connection: Connection, kind: str, content: Any = None) -> None:
    """Send one message."""
    connection.send_bytes(json.dumps([kind, content]).encode())


def receive(connection: Connection) -> tuple[str, Any]:
    """Wait for one message; return its kind and its content.

    Raises:
        EOFError: the other side is gone.
    """
    kind, content = json.loads(connection.recv_bytes())
    return kind, content
