"""The dashboard in a real browser, as somebody on a desktop or a phone meets it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from feedback_platform_tests.services.demo_page_driver import COMMAND
from feedback_platform_tests.services.devtools import Tab
from feedback_platform_tests.services.processes import answers, free_port, running

# As much of a page as a picture in the docs can show.
_TALLEST: Final = 2000
_HEIGHT: Final = 900
# Everything is there when the page's script has come to its end, no grey stripe stands for
# something, and each chart is drawn.
_IS_DRAWN: Final = """
document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]") !== null
&& document.querySelector("h1") !== null
&& document.querySelector("h3, .fp-notice") !== null
&& document.querySelector("[data-testid=stSkeleton], [data-testid=stStatusWidget]") === null
&& [...document.querySelectorAll("[data-testid=stVegaLiteChart]")]
    .every((chart) => chart.querySelector("svg, canvas"))
"""
_ERRORS: Final = "[data-testid=stException], [data-testid=stAlert], [data-testid=stModal]"
_FOREIGN: Final = """
performance.getEntriesByType("resource").map(({ name }) => name)
    .filter((name) => !name.startsWith(location.origin) && !/^(blob|data):/.test(name))
"""


@contextmanager
def serving_dashboard(data_dir: Path) -> Iterator[str]:
    """Serve the dashboard of an installation; return where. It ends in order."""
    port = free_port()
    with running(
        [*COMMAND, "dashboard", "--port", str(port), "--data-dir", str(data_dir)],
        log=data_dir.parent / f"dashboard-{port}.log",
        is_ready=lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"),
        environment=dict(os.environ),
    ) as process:
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        assert process.wait(20) == 0


class DashboardPage:
    """A page of the dashboard in a tab, of which everything is drawn."""

    def __init__(
        self, tab: Tab, address: str, name: str, *, width: int, period: str | None = None
    ) -> None:
        self.tab = tab
        tab.resize(width, _HEIGHT)
        # The first page is the one without a name.
        path = "" if name == "overview" else name
        tab.open(f"{address}/{path}" + (f"?{urlencode({'period': period})}" if period else ""))
        tab.wait_for(_IS_DRAWN)

    @property
    def charts(self) -> int:
        return self._count("[data-testid=stVegaLiteChart]")

    @property
    def errors(self) -> int:
        """Boxes that tell of an error nobody foresaw."""
        return self._count(_ERRORS)

    @property
    def foreign(self) -> list[str]:
        """What was fetched from another server than this one."""
        found: list[str] = self.tab.evaluate(_FOREIGN)
        return found

    @property
    def overhang(self) -> int:
        """By how many pixels the page is wider than what is seen of it, beside the sidebar."""
        main = "document.querySelector('[data-testid=stMain]')"
        found: int = self.tab.evaluate(f"{main}.scrollWidth - {main}.clientWidth")
        return found

    @property
    def text(self) -> str:
        found: str = self.tab.evaluate("document.body.innerText")
        return found

    def picture(self, file: Path, *, width: int) -> None:
        """Take a picture of the page, or of the top of a very long one."""
        main = "document.querySelector('[data-testid=stMain]')"
        height: Any = self.tab.evaluate(f"{main}.scrollHeight")
        self.tab.resize(width, min(int(height), _TALLEST))
        self.tab.wait_for(_IS_DRAWN)
        # Charts follow a new width within a frame or two.
        self.tab.evaluate("new Promise((resolve) => setTimeout(resolve, 500))")
        self.tab.screenshot(file)

    def _count(self, selector: str) -> int:
        found: int = self.tab.evaluate(f"document.querySelectorAll('{selector}').length")
        return found
