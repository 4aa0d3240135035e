"""A tab of a real browser, driven as a person drives it: by the mouse and the keyboard.

It speaks the DevTools protocol, which Chromium brings: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

from feedback_platform_tests.services.browser import FLAGS, browser_program
from feedback_platform_tests.services.processes import START_SECONDS, ServiceError, stop

SECONDS: Final = 30.0
_KEYS: Final = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
_TEXTS: Final = {"Enter": "\r", " ": " "}
_PLACE: Final = """
(() => {
  const found = document.querySelector(%s);
  if (found === null) throw new Error("There is no such element.");
  found.scrollIntoView({ block: "center", behavior: "instant" });
  const { x, y, width, height } = found.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
})()
"""
_ONCE: Final = """
new Promise((resolve) => {
  const look = () => ((%s) ? resolve(true) : setTimeout(look, 20));
  look();
})
"""


class PageError(Exception):
    """The page did not do what it was asked to."""


class Tab:
    """One page; what it logs as an error, and what the browser refuses it, is in `problems`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._calls = 0
        self._problems: list[str] = []
        self.dialogs: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    @property
    def problems(self) -> list[str]:
        """All so far."""
        self.evaluate("new Promise(requestAnimationFrame)")
        return self._problems

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; note what happened before its answer."""
        self._calls += 1
        asked = {"id": self._calls, "method": method, "params": parameters}
        self._connection.send(json.dumps(asked))
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                said = json.loads(self._connection.recv(max(0.0, deadline - time.monotonic())))
            except TimeoutError as error:
                raise PageError(f"no answer to {asked}; {self._problems}") from error
            if said.get("id") == self._calls:
                if "error" in said:
                    raise PageError(f"{asked}: {said['error']['message']}")
                result: dict[str, Any] = said["result"]
                return result
            # The answer to a question that nobody waits for any more is no event.
            if "method" in said:
                self._note(said)

    def evaluate(self, expression: str) -> Any:
        """Return what an expression is, awaited, in the page."""
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise PageError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def open(self, address: str) -> None:
        """Go to an address, and wait until all that its document names is loaded."""
        self.call("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression holds in the page."""
        try:
            self.evaluate(_ONCE % condition)
        except PageError as error:
            text = self.evaluate("document.body.innerText")
            raise PageError(f"never came true: {condition}; the page says: {text}") from error

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse."""
        x, y = self.evaluate(_PLACE % json.dumps(selector))
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        code = {"windowsVirtualKeyCode": _KEYS[key], "modifiers": 8 if shift else 0}
        text = {"text": _TEXTS[key]} if key in _TEXTS else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def prefer(self, **features: str) -> None:
        """Say what the person prefers: `prefers_color_scheme="dark"` and the like."""
        named = [{"name": name.replace("_", "-"), "value": each} for name, each in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _note(self, said: dict[str, Any]) -> None:
        method, what = said["method"], said["params"]
        if method == "Runtime.exceptionThrown":
            self._problems.append(json.dumps(what["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and what["type"] in {"error", "warning"}:
            self._problems.append(json.dumps(what["args"]))
        elif method == "Log.entryAdded" and what["entry"]["level"] in {"error", "warning"}:
            self._problems.append(f"{what['entry']['text']} {what['entry'].get('url', '')}")


@contextmanager
def tab(*, width: int = 1280, height: int = 900) -> Iterator[Tab]:
    """Open an empty tab in a browser that knows nothing yet, and that nobody takes for a robot.

    Raises:
        ServiceError: there is no browser on this machine, or it does not start.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                browser_program(), *FLAGS, "--remote-debugging-port=0",
                f"--user-data-dir={profile}", "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            address = f"http://127.0.0.1:{_port(Path(profile), process)}/json"
            (page,) = [each for each in _asked(f"{address}/list") if each["type"] == "page"]
            agent = _asked(f"{address}/version")["User-Agent"].replace("Headless", "")
            with connect(page["webSocketDebuggerUrl"], max_size=None) as connection:
                opened = Tab(connection)
                opened.call("Emulation.setUserAgentOverride", userAgent=agent)
                opened.resize(width, height)
                yield opened
        finally:
            stop(process)


def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """Return the port at which a browser is driven, which it writes into its profile."""
    file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while True:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) > 1:
            return int(lines[0])
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServiceError("the browser did not start")
        time.sleep(0.05)


def _asked(address: str) -> Any:
    with urlopen(address, timeout=SECONDS) as response:  # noqa: S310 - an address of this machine
        return json.load(response)
