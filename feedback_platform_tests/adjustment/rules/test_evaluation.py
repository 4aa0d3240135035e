from __future__ import annotations

from pathlib import Path

from feedback_platform.adjustment.rules.book import Book
from feedback_platform.adjustment.rules.evaluation import (
    MOST_TOO_FEW,
    Evaluation,
    is_new,
    keep,
    last_evaluation,
)
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.rules.switches import observed, rule, sample


def test_a_batch_is_new_once_for_the_same_rules(tmp_path: Path) -> None:
    lake, rules = Lake(tmp_path.as_uri()), [rule()]
    seen = observed([(rules[0], sample(60, 1000))], Book())
    assert last_evaluation(lake) == Evaluation()
    assert is_new(lake, rules, seen.batch)

    kept = keep(lake, rules, seen, [(seen.rules[0], "fine")])

    assert last_evaluation(lake) == kept
    assert not is_new(lake, rules, seen.batch)
    assert is_new(lake, rules, seen.batch + 1)
    assert is_new(lake, [rule(threshold=0.04)], seen.batch)


def test_of_places_with_too_little_to_say_the_largest_are_shown(tmp_path: Path) -> None:
    small = [(rule(), sample(0, size)) for size in range(1, MOST_TOO_FEW + 11)]
    seen = observed([*small, (rule(), sample(60, 1000))], Book())
    answers = [(found, found.judgement.verdict.value) for found in seen.rules]

    kept = keep(Lake(tmp_path.as_uri()), [rule()], seen, answers)

    assert [row.count for row in kept.rows] == [*range(11, MOST_TOO_FEW + 11), 1000]
