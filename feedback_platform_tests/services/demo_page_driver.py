"""The demo page as its visitor meets it: what it shows, and what can be done to it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from feedback_platform_tests.services.devtools import Tab, tab
from feedback_platform_tests.services.processes import answers, free_port, running

COMMAND: Final = (sys.executable, "-m", "feedback_platform")

_ORDER: Final = "[...document.querySelectorAll('#list > .card')].map((card) => card.dataset.item)"
_VISITOR: Final = "document.querySelector('#who')"


class DemoPage:
    """The page in a tab; each deed waits until the page has answered it."""

    def __init__(self, tab: Tab, address: str) -> None:
        self.tab = tab
        self.address = address

    def open(self) -> None:
        self.tab.open(f"{self.address}/demo/")
        self.wait_for_list()

    def wait_for_list(self) -> None:
        self.tab.wait_for("document.querySelectorAll('#list > .card').length > 4")

    @property
    def order(self) -> list[str]:
        found: list[str] = self.tab.evaluate(_ORDER)
        return found

    @property
    def status(self) -> str:
        return self.text("#status")

    def text(self, selector: str) -> str:
        found: str = self.tab.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    def texts(self, selector: str) -> list[str]:
        places = f"document.querySelectorAll({json.dumps(selector)})"
        found: list[str] = self.tab.evaluate(f"[...{places}].map((each) => each.innerText)")
        return found

    def category(self, item_id: str) -> str:
        return self.text(f"{card(item_id)} .name")

    def do(self, deed: str, item_id: str, said: str) -> None:
        """Press one of an item's buttons, and wait for the list that comes of it."""
        self.forget_status()
        self.tab.click(f"{card(item_id)} .{deed}")
        self.wait_for_status(said)

    def forget_status(self) -> None:
        """What is said next may be what was said before."""
        self.tab.evaluate("document.querySelector('#status').replaceChildren()")

    def wait_for_status(self, said: str) -> None:
        self.tab.wait_for(
            f"document.querySelector('#status').innerText.startsWith({json.dumps(said)})"
        )

    def become(self, user_id: str) -> None:
        """Choose another visitor, `new` for somebody new."""
        self.forget_status()
        self.tab.evaluate(
            f"{_VISITOR}.value = {json.dumps(user_id)}; "
            f"{_VISITOR}.dispatchEvent(new Event('change'))"
        )
        self.wait_for_status("Here you are")

    @property
    def visitors(self) -> list[str]:
        """Who may be played, by user id; the last is somebody new."""
        found: list[str] = self.tab.evaluate(f"[...{_VISITOR}.options].map(({{ value }}) => value)")
        return found

    def barriers(self, axe: str) -> list[dict[str, Any]]:
        """What axe-core finds: rules that do not hold, and where."""
        self.tab.evaluate(f"{axe}; null")
        self.tab.evaluate("Promise.all(document.getAnimations().map(({ finished }) => finished))")
        found: list[dict[str, Any]] = self.tab.evaluate(
            "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => "
            "({ id, where: nodes.map(({ html, failureSummary }) => [html, failureSummary]) })))"
        )
        return found


def card(item_id: str) -> str:
    return f'#list > [data-item="{item_id}"]'


@contextmanager
def serving(
    data_dir: Path, environment: Mapping[str, str], *, port: int | None = None
) -> Iterator[str]:
    """Serve an installation; return where."""
    port = port or free_port()
    with running(
        [*COMMAND, "serve", "--port", str(port), "--data-dir", str(data_dir)],
        log=data_dir.parent / f"serve-{port}.log",
        is_ready=lambda: answers(f"http://127.0.0.1:{port}/readyz"),
        environment={**os.environ, **environment},
    ):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def demo_page(
    address: str, *, width: int = 1280, height: int = 900, is_quiet: bool = True
) -> Iterator[DemoPage]:
    """A tab for somebody who likes things calm.

    At the end no error was logged and nothing refused by the browser, if it has to be quiet.
    """
    with tab(width=width, height=height) as browser:
        browser.prefer(prefers_reduced_motion="reduce")
        yield DemoPage(browser, address)
        assert not is_quiet or browser.problems == []
