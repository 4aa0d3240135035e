"""A page of the dashboard, run by Streamlit without a browser."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from streamlit.testing.v1 import AppTest

# A page that takes longer hangs.
SECONDS = 60


def shown(published: Path, page: str) -> AppTest:
    """Run a page on a published database."""
    return AppTest.from_function(_script, args=(str(published), page)).run(timeout=SECONDS)


def charts(page: AppTest) -> int:
    """How many charts a page has."""
    return len(page.get("vega_lite_chart"))


def texts(page: AppTest) -> str:
    """What a page says, as people read it."""
    reader = _Reader()
    for each in page.get("html"):
        reader.feed(each.proto.body)
    return " ".join(" ".join(reader.said).split()).replace(" ,", ",").replace(" .", ".")


def tags(page: AppTest) -> set[str]:
    """Which HTML elements a page is made of."""
    reader = _Reader()
    for each in page.get("html"):
        reader.feed(each.proto.body)
    return reader.tags


def _script(published: str, name: str) -> None:
    from pathlib import Path

    from feedback_platform.dashboard.app import PAGES, show_page

    show_page(Path(published), next(page for page in PAGES if page.name == name))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.tags: set[str] = set()
        self._is_style = False

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        self.tags.add(tag)
        self._is_style = tag == "style"

    def handle_endtag(self, _tag: str) -> None:
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if not self._is_style:
            self.said.append(data)
