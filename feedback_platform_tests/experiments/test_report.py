"""What a person is told, on a terminal and as a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.experiments.analysis import analyse
from feedback_platform.experiments.decision import decide
from feedback_platform.experiments.definition import Design, Experiment, Goal, Guard, HoldOut
from feedback_platform.experiments.entries import Started, Stopped
from feedback_platform.experiments.exposure import Exposure
from feedback_platform.experiments.looks import Look
from feedback_platform.experiments.reading import overall
from feedback_platform.experiments.report import Report
from feedback_platform.experiments.report_page import page_of
from feedback_platform.experiments.report_text import text_of
from feedback_platform.experiments.results import results
from feedback_platform_tests.experiments.arms import experiment, of_shares

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Author("person:ada", "it was planned so", NOON)
DEFINITION = experiment(
    hypothesis="Cards <b>sell</b> & are looked at longer.",
    primary=(Goal("converting_users", 0.02),),
    guards=(Guard("returning_users", 0.05),),
    design=Design(timedelta(days=10), tuned_for=2_000),
)
_VOID = {"meta", "br"}


def look(definition: Experiment, day: int, grid: int, cards: int, of: int = 500) -> Look:
    """So many of each arm have converted; as many have come back."""
    users = {"grid": of, "cards": of}
    arms = {"grid": of_shares(of, grid), "cards": of_shares(of, cards)}
    found = analyse(definition, users, {"converting_users": arms, "returning_users": arms})
    decisions = decide(definition, found, is_over=False)
    verdict, winner, reason = overall(definition, found, decisions)
    return Look(
        batch=day,
        read_at=NOON + timedelta(days=day),
        is_final=False,
        exposure=Exposure(users, mixed=3, opted_out=1),
        verdict=verdict.value,
        winner=winner,
        reason=reason,
        results=tuple(results(definition, found, decisions)),
    )


def report(**changes: Any) -> Report:
    given: dict[str, Any] = {
        "started": Started(DEFINITION, HoldOut(), ADA, NOON),
        "looks": (look(DEFINITION, 1, 2, 3, of=100), look(DEFINITION, 4, 100, 120)),
        "assigned": {"grid": 610, "cards": 590},
    }
    return Report(**{**given, **changes})


class Page(HTMLParser):
    """Checks that every element is closed where it belongs, and asks for nothing from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attrs}
        assert tag not in {"script", "link", "img", "iframe"}
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_text_has_arms_effects_and_what_follows() -> None:
    lines = text_of(report()).splitlines()

    assert lines[0] == "cards-at-home: Cards <b>sell</b> & are looked at longer."
    assert "decision: wait: no deciding metric is surely better" in lines[2]
    words = [line.split() for line in lines]
    assert ["grid", "(control)", "grid", "50", "%", "610", "500"] in words
    assert ["cards", "compact", "50", "%", "590", "500"] in words
    assert "left out: 3 met several variants, 1 opted out" in text_of(report())
    # By hand: .24 - .2, and 1.962 standard errors of .02617 to each side.
    (row,) = (line for line in lines if line.split()[:1] == ["converting_users"])
    assert " ".join(row.split()).startswith(
        "converting_users primary cards 0.2 0.24 +0.04 -0.01135 to +0.09135 0.127 "
    )
    assert max(map(len, lines)) <= 140


def test_before_anything_was_found_there_is_little_to_say() -> None:
    empty = report(looks=(), assigned={})

    assert "wait: nothing was found yet" in text_of(empty)
    assert "Nobody met it yet." in Page(page_of(empty)).text
    assert empty.as_json()["results"] == []


def test_the_page_needs_nothing_but_itself() -> None:
    text = page_of(report())

    page = Page(text)

    assert re.findall(r"url\(|@import|https?:", text) == []
    assert "Cards <b>sell</b> & are looked at longer." in page.text
    assert "nobody" not in page.text
    plots = re.findall(r"<svg viewBox.*?</svg>(?=<dl>|</figure>)", text)
    # An effect for each metric, and the sequence of what decides.
    assert len(plots) == 3
    for plot in plots:
        ET.fromstring(plot)  # noqa: S314 - made here


def test_the_page_says_what_was_decided_and_why() -> None:
    stopped = Stopped("cards-at-home", "ship", ADA, NOON + timedelta(days=5))
    found = report(stopped=stopped, shipped="cards")

    page = Page(page_of(found)).text

    assert "ship · cards shipped" in page
    assert "it was planned so" in page
    assert "ran from 2026-03-02 12:00 to 2026-03-07 12:00 UTC" in page


def test_the_json_has_what_the_text_has() -> None:
    found = report().as_json()

    assert (found["status"], found["decision"], found["mixed_users"]) == ("running", "wait", 3)
    assert [arm["assigned"] for arm in found["arms"]] == [610, 590]
    assert found["results"][0]["effect"] == pytest.approx(0.04)
    assert [each["users"] for each in found["looks"]] == [
        {"grid": 100, "cards": 100},
        {"grid": 500, "cards": 500},
    ]
