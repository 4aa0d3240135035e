"""What the worker processes of one server tell each other, as datagrams between Unix sockets.

Whatever of it is lost, a request is answered all the same: nobody waits for a neighbour, and what
one does not take in time is dropped and counted. The sockets lie in a directory that only this
user may enter, so a datagram needs no other proof of who sent it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

Handler = Callable[[bytes], None]

MAX_MESSAGE_BYTES: Final = 32 * 1024
# For one neighbour, while its socket takes no more: a kernel's queue may be ten datagrams short.
MAX_WAITING_BYTES: Final = 4 << 20
# At a time; the requests between two such times are not held up by a neighbour that sends a lot.
_RECEIVED_AT_ONCE: Final = 256
_RETRY_SECONDS: Final = 0.002
# Where a datagram is limited by these, their defaults are two kilobytes.
_SEND_BUFFER: Final = 256 * 1024
_RECEIVE_BUFFER: Final = 1 << 20
# Of a socket's path, on the system that allows the fewest, less what the folder within and its own
# name take.
_LONGEST_DIRECTORY: Final = 72
_SHORT_DIRECTORY: Final = "/tmp"  # noqa: S108 - a private directory is made in it
_HELLO: Final = b"hello"


@contextmanager
def meeting_place() -> Iterator[Path]:
    """Give a directory in which the workers of a server find each other; it is removed after."""
    parent = tempfile.gettempdir()
    has_room = len(parent) + len("/feedback-12345678") <= _LONGEST_DIRECTORY
    with tempfile.TemporaryDirectory(
        prefix="feedback-",
        dir=parent if has_room else _SHORT_DIRECTORY,
        ignore_cleanup_errors=True,
    ) as made:
        yield Path(made)


class Neighbours:
    """The other workers of this server, as one of them sees them.

    Attributes:
        dropped: how many messages did not reach a neighbour, or were too long for all of them.
    """

    def __init__(self, directory: Path | None) -> None:
        """Prepare to meet.

        Args:
            directory: where the workers meet; None for a process that has no neighbours.
        """
        self._directory = directory
        self._handlers: dict[bytes, Handler] = {_HELLO: self._greeted}
        self._waiting: dict[str, _Waiting] = {}
        self._socket: socket.socket | None = None
        self._own = ""
        self._retry: asyncio.TimerHandle | None = None
        self.dropped = 0

    @property
    def are_there(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._waiting)

    def subscribe(self, topic: bytes, handler: Handler) -> None:
        """Have what others send under a topic given to a handler, on the event loop."""
        self._handlers[topic] = handler

    def start(self) -> None:
        """Open the own socket on the running loop; make it known to whoever is there already."""
        if self._directory is None:
            return
        own = self._directory / f"{os.getpid():x}-{secrets.token_hex(4)}"
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._directory.mkdir(exist_ok=True)
            opened.setblocking(False)  # noqa: FBT003 - so it is called
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            opened.bind(str(own))
            others = [str(path) for path in self._directory.iterdir() if path != own]
        except OSError:
            opened.close()
            _log.warning("This worker cannot hear of the others.", exc_info=True)
            return
        self._socket, self._own = opened, str(own)
        # Whoever comes later sees this socket, and says so as well.
        self._waiting = {path: _Waiting() for path in others}
        asyncio.get_running_loop().add_reader(opened.fileno(), self.receive)
        self.send(_HELLO, self._own.encode())

    def stop(self) -> None:
        """Be gone; what still waits for a neighbour is dropped."""
        if self._retry is not None:
            self._retry.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            Path(self._own).unlink(missing_ok=True)
        self._waiting = {}

    def send(self, topic: bytes, payload: bytes) -> None:
        """Tell every neighbour, as far as it listens; when this returns, most have it already."""
        if not self._waiting:
            return
        message = bytes((len(topic),)) + topic + payload
        if len(message) > MAX_MESSAGE_BYTES:
            self.dropped += 1
            return
        for path, waiting in list(self._waiting.items()):
            # In the order in which they were sent.
            if waiting.messages or not self._sent(path, message):
                self._keep(path, message)

    def receive(self) -> None:
        """Take what has arrived.

        The event loop calls it. Whoever is about to answer from what the neighbours tell may call
        it before, to know all that they told before the request was sent.
        """
        if self._socket is None:
            return
        for _ in range(_RECEIVED_AT_ONCE):
            try:
                message = self._socket.recv(MAX_MESSAGE_BYTES)
            except OSError:
                return
            topic, payload = message[1 : 1 + message[0]], message[1 + message[0] :]
            handler = self._handlers.get(topic)
            if handler is None:
                continue
            try:
                handler(payload)
            except Exception:  # noqa: BLE001 - logged; the others are heard all the same
                _log.exception("What a neighbour told of %s cannot be taken.", topic)

    def _greeted(self, payload: bytes) -> None:
        self._waiting.setdefault(payload.decode(), _Waiting())

    def _sent(self, path: str, message: bytes) -> bool:
        """Return whether there is nothing left to do for a message to a neighbour."""
        if self._socket is None:
            return True
        try:
            self._socket.sendto(message, path)
        except (ConnectionRefusedError, FileNotFoundError):
            # It is gone; its successor has another name.
            self._waiting.pop(path, None)
            with suppress(OSError):
                Path(path).unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _keep(self, path: str, message: bytes) -> None:
        waiting = self._waiting.get(path)
        if waiting is None:
            return
        if waiting.size + len(message) > MAX_WAITING_BYTES:
            self.dropped += 1
            return
        waiting.messages.append(message)
        waiting.size += len(message)
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._send_waiting)

    def _send_waiting(self) -> None:
        self._retry = None
        for path, waiting in list(self._waiting.items()):
            while waiting.messages and self._sent(path, waiting.messages[0]):
                waiting.size -= len(waiting.messages.popleft())
        if any(waiting.messages for waiting in self._waiting.values()):
            self._retry = asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._send_waiting)


class _Waiting:
    """What a neighbour could not take yet."""

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()
        self.size = 0
