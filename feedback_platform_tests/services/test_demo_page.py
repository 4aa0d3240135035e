"""The demo page in a real browser: what the visitor does changes what the visitor sees next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.lake.raw import list_raw_objects, read_raw_object
from feedback_platform.lake.store import Lake
from feedback_platform_tests.experiments.arms import experiment
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.demo_page_driver import DemoPage, card, demo_page
from feedback_platform_tests.serving.running_experiments import begin, end
from feedback_platform_tests.waiting import until

LAYOUT: Final = "document.querySelector('#list').dataset.layout"
FOCUSED: Final = "document.activeElement.closest('[data-item]').dataset.item"

# A list of a, b, c and d is shown in another order while c has the focus.
REORDERED: Final = """
async (order) => {
  const { ItemList } = await import("./js/item_list.js");
  const place = document.body.appendChild(document.createElement("ol"));
  const list = new ItemList(place, (item) => {
    const element = document.createElement("li");
    element.append(Object.assign(document.createElement("button"), { id: item.item_id }));
    return { element, item, update(item) { this.item = item } };
  });
  const items = (ids) => ids.map((item_id, place) => ({ item_id, position: place + 1 }));
  list.show(items(["a", "b", "c", "d"]), null);
  place.querySelector("#c").focus();
  let lost = 0;
  place.addEventListener("focusout", () => { lost += 1 });
  list.show(items(order), null);
  const found = [...place.querySelectorAll("button")].map(({ id }) => id);
  const focused = document.activeElement.id;
  const outcome = { order: found, focused, lost };
  place.remove();
  return outcome;
}
"""
# How many entries were set in motion, of all changes of the list.
TRAVELLERS: Final = """
window.travellers = 0;
const animate = Element.prototype.animate;
Element.prototype.animate = function (...how) {
  if (this.matches("#list > *")) window.travellers += 1;
  return animate.apply(this, how);
};
"""


@pytest.fixture
def page(demo_address: str) -> Iterator[DemoPage]:
    """The page, open, with whom it offers first."""
    with demo_page(demo_address) as found:
        found.open()
        yield found


def test_a_click_changes_the_next_list_and_highlights_its_category(page: DemoPage) -> None:
    before = page.order
    categories = [page.category(item) for item in before]
    category = max(categories, key=categories.count)
    chosen = [item for item in before if page.category(item) == category][-1]

    page.do("open", chosen, "You opened ")

    assert page.order != before
    assert page.texts("#list > .card.matches .name")
    assert set(page.texts("#list > .card.matches .name")) == {category}
    assert page.text("#categories .chip.matches").startswith(category)
    page.tab.press("Escape")
    page.wait_for_status("You looked at ")
    assert page.text("#sent") == "2"


def test_what_is_dismissed_goes_and_stays_away(page: DemoPage) -> None:
    dismissed = page.order[0]
    page.do("dismiss", dismissed, "You dismissed ")
    assert dismissed not in page.order

    # The page has forgotten it; the server has not.
    page.tab.evaluate("sessionStorage.clear()")
    page.open()

    assert dismissed not in page.order


def test_what_is_told_says_which_list_showed_the_item(
    page: DemoPage, demo_product: Installation
) -> None:
    liked, rated, *_ = page.order
    page.do("like", liked, "You liked ")
    page.do("open", rated, "You opened ")
    page.tab.click("#item .star[value='5']")
    page.wait_for_status("You gave ")
    assert page.text("#item .hint") == "You gave it 5 stars."
    page.tab.press("Escape")
    page.wait_for_status("You looked at ")

    told = tracked(demo_product.lake)
    shown = {
        each["properties"]["recommendation_id"]
        for each in told
        if each["event"] == "Recommendations Shown"
    }
    said = [each for each in told if each["event"] != "Recommendations Shown"][-4:]
    assert [(each["event"], each["properties"]["item_id"]) for each in said] == [
        ("Item Liked", liked),
        ("Item Clicked", rated),
        ("Item Rated", rated),
        ("Item Viewed", rated),
    ]
    for each in said:
        assert each["properties"]["recommendation_id"] in shown
        assert each["properties"]["placement"] == "home"
    assert said[2]["properties"]["rating"] == 5
    assert said[3]["properties"]["dwell_ms"] > 0


def test_why_is_told_in_words_with_a_bar_for_each_weight(page: DemoPage) -> None:
    asked = page.order[2]
    page.tab.click(f"{card(asked)} .why")
    page.tab.wait_for("document.querySelectorAll('#why .reasons li').length > 0")
    assert len(page.texts("#why .reasons p")) == len(page.texts("#why .bar"))
    assert "place 3" in page.text("#why")

    page.tab.press("Escape")

    page.tab.wait_for("!document.querySelector('#why').open")
    assert page.tab.evaluate(FOCUSED) == asked


def test_personalisation_switched_off_turns_the_list_into_what_is_popular(page: DemoPage) -> None:
    personal, popular = [], []
    for user in page.visitors[1:3]:
        page.become(user)
        before = page.order
        page.tab.click("#personalisation")
        page.wait_for_status("Personalise for me: off")
        assert page.text("#heading") == "Popular with everybody"
        personal.append(before)
        popular.append(page.order)

        page.tab.click("#personalisation")
        page.wait_for_status("Personalise for me: on")

        assert page.text("#heading") == "Chosen for you"
        assert page.order == before
    assert personal[0] != personal[1]
    assert popular[0] == popular[1]
    assert popular[0] not in personal


def test_a_signal_that_is_switched_off_counts_no_more(page: DemoPage) -> None:
    page.become("new")
    before = page.order
    page.do("like", before[5], "You liked ")
    assert page.order != before

    page.tab.click("#choices summary")
    page.tab.click("#signal-like")
    page.wait_for_status("what I like: off")

    assert page.order == before


def test_a_flag_changes_the_layout_of_the_open_page(
    page: DemoPage, demo_product: Installation
) -> None:
    assert page.tab.evaluate(LAYOUT) == "grid"
    flags = Flags(demo_product.lake)
    for layout in ("compact", "grid"):
        set_default(flags, "layout-home", layout)
        page.tab.wait_for(f"{LAYOUT} === '{layout}'")
    assert any("compact → grid" in line for line in page.texts("#happened li"))


def test_who_is_shown_a_variant_is_exposed_from_before_the_list_on(
    page: DemoPage, demo_product: Installation
) -> None:
    lake = demo_product.lake
    before = len(said(lake, "Experiment Viewed"))
    begin(lake, experiment())
    # The open page is told of the start.
    until(lambda: len(said(lake, "Experiment Viewed")) == before + 1)

    page.open()

    until(lambda: len(said(lake, "Experiment Viewed")) == before + 2)
    end(lake, experiment().key)
    exposed = said(lake, "Experiment Viewed")[-1]
    shown = said(lake, "Recommendations Shown")[-2:]
    assert exposed["properties"]["experiment_id"] == experiment().key
    assert exposed["properties"]["variant"] in experiment().variants
    assert {each["userId"] for each in shown} == {exposed["userId"]}
    assert all(instant(exposed) <= instant(each) for each in shown)


def test_an_entry_keeps_the_focus_wherever_it_moves(page: DemoPage) -> None:
    for order in (["c", "a", "b", "d"], ["d", "b", "a", "c"], ["e", "c", "f"]):
        found = page.tab.evaluate(f"({REORDERED})({json.dumps(order)})")
        assert found == {"order": order, "focused": "c", "lost": 0}


def test_who_acts_on_an_item_that_leaves_finds_the_focus_on_the_next(page: DemoPage) -> None:
    chosen, following = page.order[2:4]
    page.tab.evaluate(f"document.querySelector('{card(chosen)} .dismiss').focus()")
    page.forget_status()
    page.tab.press("Enter")
    page.wait_for_status("You dismissed ")
    assert page.tab.evaluate(FOCUSED) == following
    assert page.tab.evaluate("document.activeElement.className") == "dismiss"


@pytest.mark.parametrize(("preferred", "travels"), [("no-preference", True), ("reduce", False)])
def test_entries_travel_to_their_places_unless_that_is_too_much(
    demo_address: str, preferred: str, *, travels: bool
) -> None:
    with demo_page(demo_address) as page:
        page.tab.prefer(prefers_reduced_motion=preferred)
        page.open()
        page.become("new")
        page.tab.evaluate(TRAVELLERS)
        page.tab.evaluate(f"document.querySelector('{card(page.order[-1])} .like').click()")
        page.wait_for_status("You liked ")
        assert (page.tab.evaluate("window.travellers") > 0) is travels


def test_somebody_new_is_known_after_one_like(page: DemoPage) -> None:
    page.become("new")
    assert page.text("#lead").startswith("Nobody knows you yet")
    assert not any("a moment ago" in reason for reason in page.texts("#list .reason"))
    before = page.order
    reasons = page.texts("#list .reason")
    popular = [item for item, reason in zip(before, reasons, strict=True) if "Popular" in reason]

    page.do("like", popular[2], "You liked ")

    assert page.order != before
    assert any("a moment ago" in reason for reason in page.texts("#list .reason"))
    assert page.text("#lead").startswith("What you do here")


def test_what_is_known_is_saved_as_a_file(page: DemoPage, tmp_path: Path) -> None:
    page.tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.do("like", page.order[0], "You liked ")
    page.tab.click("#export")
    page.tab.wait_for("document.querySelector('#data-status').innerText.includes('saved')")
    file = tmp_path / "what-is-known-about-me.json"
    until(file.exists)
    assert json.loads(file.read_text())


def test_who_deletes_their_data_is_asked_once_more_and_is_somebody_new(page: DemoPage) -> None:
    page.become("new")
    page.tab.click("#delete")
    page.tab.click("#keep")
    assert page.tab.evaluate("document.querySelector('#confirm').open") is False
    page.tab.click("#delete")

    page.tab.click("#erase")

    page.tab.wait_for("document.querySelector('#data-status').innerText.includes('filed')")
    assert page.text("#lead").startswith("Nobody knows you yet")


def tracked(lake: Lake) -> list[dict[str, Any]]:
    """What the server was told, and what it noted itself; nothing of the simulation."""
    lines = [
        json.loads(line)
        for key in list_raw_objects(lake)
        if "/collector-" in key
        for line in read_raw_object(lake, key).splitlines()
    ]
    return [line["message"] for line in lines if line["message"].get("type") == "track"]


def said(lake: Lake, event: str) -> list[dict[str, Any]]:
    """What was told under a name, in the order in which it was received."""
    return [each for each in tracked(lake) if each["event"] == event]


def instant(message: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(message["timestamp"])


def set_default(flags: Flags, key: str, variant: str) -> None:
    author = Author("person:tester", "to see it", datetime.now(UTC))
    flags.edit(key, lambda old: with_default(old, variant), author)
