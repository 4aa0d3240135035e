"""The demo page for those who see, read or move differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from feedback_platform_tests.services.demo_page_driver import DemoPage, card, demo_page

WIDE: Final = (1280, 900)
NARROW: Final = (320, 640)
# Of which item, and which of its buttons.
FOCUSED: Final = """
[document.activeElement.closest("[data-item]")?.dataset.item, document.activeElement.className]
"""


@pytest.fixture(
    params=[("light", *WIDE), ("dark", *WIDE), ("light", *NARROW), ("dark", *NARROW)],
    ids=["light", "dark", "light-narrow", "dark-narrow"],
)
def page(request: pytest.FixtureRequest, demo_address: str) -> Iterator[DemoPage]:
    scheme, width, height = request.param
    with demo_page(demo_address, width=width, height=height) as found:
        found.tab.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        found.open()
        yield found


def test_axe_finds_no_barrier_and_nothing_is_cut_off(page: DemoPage, axe: str) -> None:
    def assert_open() -> None:
        assert page.barriers(axe) == []
        width = page.tab.evaluate("document.documentElement.clientWidth")
        assert page.tab.evaluate("document.documentElement.scrollWidth") <= width

    page.do("like", page.order[3], "You liked ")
    page.tab.evaluate("document.querySelector('#choices details').open = true")
    assert_open()
    page.tab.evaluate("document.querySelector('#list').dataset.layout = 'compact'")
    assert_open()
    page.tab.click(f"{card(page.order[0])} .why")
    page.tab.wait_for("document.querySelectorAll('#why .reasons li').length > 0")
    assert_open()
    page.tab.press("Escape")
    page.do("open", page.order[1], "You opened ")
    assert_open()
    page.tab.press("Escape")
    page.tab.click("#delete")
    assert_open()


def test_everything_can_be_done_from_the_keyboard(demo_address: str) -> None:
    with demo_page(demo_address) as page:
        page.open()
        page.become("new")
        tab = page.tab
        tab.evaluate("document.activeElement.blur()")
        tab.press("Tab")
        assert page.text(":focus") == "Skip to the list"
        tab.press("Enter")
        tab.press("Tab")
        assert tab.evaluate(FOCUSED) == [page.order[0], "open"]
        tab.press("Enter")
        page.wait_for_status("You opened ")
        tab.press("Tab")
        assert page.text(":focus") == "Close"
        page.forget_status()
        tab.press("Enter")
        page.wait_for_status("You looked at ")
        # The item has left the list, so the focus is on the list itself.
        tab.press("Tab")
        for button in ("open", "why", "like"):
            assert tab.evaluate(FOCUSED) == [page.order[0], button]
            tab.press("Tab")
        assert tab.evaluate(FOCUSED) == [page.order[0], "dismiss"]
        following = page.order[1]
        tab.press(" ")
        page.wait_for_status("You dismissed ")
        assert tab.evaluate(FOCUSED) == [following, "dismiss"]
