"""The demo page on servers that want keys, that have learned nothing, and that are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.demo_page_driver import card, demo_page, serving
from feedback_platform_tests.services.processes import free_port

KEYS: Final = {
    "FEEDBACK_DEMO": "on",
    "FEEDBACK_WRITE_KEYS": "shop:the-key-of-the-shop,demo:the-key-of-the-page",
    "FEEDBACK_API_KEYS": "ops:the-key-of-an-administrator",
    "FEEDBACK_USER_TOKEN_SECRET": "a-secret-of-more-than-thirty-two-characters",
}
# One question for a list is answered as if its token had run out.
EXPIRED: Final = """
window.refused = 0;
const ask = window.fetch;
window.fetch = (address, request) => {
  if (window.refused > 0 || !String(address).includes("/v1/recommendations/")) {
    return ask(address, request);
  }
  window.refused += 1;
  return Promise.resolve(new Response("{}", { status: 401 }));
};
"""


def test_the_page_works_where_keys_and_tokens_are_needed(demo_product: Installation) -> None:
    with (
        serving(demo_product.settings.data_dir, KEYS) as address,
        demo_page(address) as found,
    ):
        found.open()
        before = found.order
        found.do("like", before[5], "You liked ")
        assert found.order != before
        found.tab.wait_for("document.querySelector('#personalisation') !== null")

        # A token has run out: the page asks for another, and goes on.
        found.tab.evaluate(EXPIRED)
        before = found.order
        found.do("like", before[5], "You liked ")
        assert found.order != before
        assert found.tab.evaluate("window.refused") == 1


def test_a_server_that_is_gone_is_missed_and_the_page_goes_on_when_it_is_back(
    demo_product: Installation,
) -> None:
    port, data_dir = free_port(), demo_product.settings.data_dir
    with demo_page(f"http://127.0.0.1:{port}", is_quiet=False) as page:
        with serving(data_dir, {}, port=port):
            page.open()
        chosen = page.order[1]
        page.tab.click(f"{card(chosen)} .like")
        page.tab.wait_for("document.querySelector('#problem').innerText.includes('answer')")
        assert page.text("#sent") == "0"
        with serving(data_dir, {}, port=port):
            page.forget_status()
            page.tab.click("#problem button")
            page.wait_for_status("You liked ")
            assert page.text("#problem") == ""


def test_a_server_that_has_learned_nothing_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data", {}) as address, demo_page(address, is_quiet=False) as found:
        found.tab.open(f"{address}/demo/")
        found.tab.wait_for("document.querySelector('#empty').innerText !== ''")
        assert "feedback-platform demo" in found.text("#empty")
