from __future__ import annotations

from pathlib import Path

from feedback_platform.adjustment.rules.book import Book
from feedback_platform.adjustment.rules.evaluation import Evaluation, keep
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration.assets.adjusting import rules_as_markdown
from feedback_platform_tests.adjustment.rules.switches import observed, rule, sample


def test_before_anything_was_measured_the_table_says_so() -> None:
    assert rules_as_markdown(Evaluation()) == "No rule has found anything to measure yet."


def test_what_a_sender_made_up_stays_a_text_in_the_table(tmp_path: Path) -> None:
    place = {"placement": "<img src=x>|a\nb"}
    seen = observed([(rule(), sample(60, 1000))], Book(), place=place)

    kept = keep(Lake(tmp_path.as_uri()), [rule()], seen, [(seen.rules[0], "fine")])

    _, _, line = rules_as_markdown(kept).splitlines()
    assert "| placement=&lt;img src=x&gt;&#124;a b |" in line
