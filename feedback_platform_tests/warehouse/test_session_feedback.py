"""What a session's events come to, against what the layers make of the same events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from feedback_platform.cleaning.configuration import UNKNOWN, default_rules
from feedback_platform.cleaning.rules import DEVICE_CATEGORY, rule_table
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.learning.online.session_feedback import SessionRules
from feedback_platform.warehouse.training_tables import (
    open_for_training,
    score_rules,
    signal_weights,
)
from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.learning.online.world import RULES
from feedback_platform_tests.warehouse.small_platform import REFERENCE, SmallPlatform, event

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TYPES = ("item_viewed", "item_clicked", "item_used", "item_liked", "item_dismissed", "item_rated",
         "item_converted")  # fmt: skip
USERS = 300


def drawn(seed: int) -> list[dict[str, Any]]:
    """One visit of each of many users to one item: up to five events within an hour."""
    generator = np.random.default_rng(seed)
    events = []
    for user in range(USERS):
        moments = sorted(generator.choice(3600, size=int(generator.integers(1, 6)), replace=False))
        for number, moment in enumerate(moments):
            kind = str(generator.choice(TYPES))
            value: float | None = None
            if kind in {"item_viewed", "item_used"} and generator.random() < 0.8:
                value = float(np.expm1(generator.normal(4, 2.5)).clip(0))
            if kind == "item_rated":
                value = float(generator.integers(1, 11)) / 2
            told = {} if value is None else {"value": value}
            at = f"{NOON + timedelta(seconds=int(moment)):%Y-%m-%dT%H:%M:%SZ}"
            events.append(
                event(f"{user}-{number}", kind, user_id=f"u{user}", item_id="film",
                      session_id=f"s{user}", occurred_at=at, **told)
            )  # fmt: skip
    return events


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    platform = SmallPlatform.at(tmp_path_factory.mktemp("sessions"), project)
    platform.land(*drawn(1), object_id="1")
    platform.process()
    return platform


def as_session(said: dict[str, Any]) -> SessionEvent:
    at = datetime.fromisoformat(said["occurred_at"]).timestamp()
    return SessionEvent(said["event_type"], said["item_id"], said.get("value"), at)


def test_each_event_says_what_the_layers_say_of_it(worked: SmallPlatform) -> None:
    rows = {row["feedback_id"]: row for row in worked.records("from feedback.user_feedback")}
    assert len(rows) > USERS
    for said in drawn(1):
        piece, row = RULES.piece(as_session(said)), rows[said["event_id"]]
        assert piece is not None
        assert (piece.signal, piece.is_explicit, piece.is_brief) == (
            row["signal"],
            row["feedback_type"] == "explicit",
            row["is_brief"],
        )
        assert piece.score == pytest.approx(row["feedback_score"], abs=1e-6)
        assert piece.confidence == pytest.approx(row["confidence"], abs=1e-12)
        is_observed = row["confidence"] > 0 and not (row["is_imputed"] or row["is_outlier"])
        assert piece.is_observed == is_observed


def test_a_visit_comes_to_the_score_that_training_would_have(worked: SmallPlatform) -> None:
    scores = {
        row["user_id"]: row["feedback_score"]
        for row in worked.records("from feedback.training_scores_as_of('infinity'::timestamp)")
    }
    events = drawn(1)
    for user in range(USERS):
        own = [said for said in events if said["user_id"] == f"u{user}"]
        pieces = [RULES.piece(as_session(said)) for said in own]
        observed = [piece for piece in pieces if piece is not None and piece.is_observed]
        if not observed:
            assert f"u{user}" not in scores
        else:
            assert RULES.score(observed) == pytest.approx(scores[f"u{user}"], abs=1e-6), own


def test_what_says_nothing_of_an_item_is_no_feedback() -> None:
    assert RULES.piece(SessionEvent("item_impression", "film", None, 0)) is None
    assert RULES.piece(SessionEvent("page_viewed", "film", None, 0)) is None


def test_the_rules_are_those_by_which_the_published_scores_were_made(
    worked: SmallPlatform,
) -> None:
    table = rule_table(default_rules(), REFERENCE).filter(pl.col(DEVICE_CATEGORY) == UNKNOWN)
    with open_for_training(worked.published) as publication:
        weights, constants = signal_weights(publication), score_rules(publication)
    found = SessionRules.of(table, weights, constants)
    assert found == RULES
    assert SessionRules.from_facts(json.loads(json.dumps(found.as_facts()))) == RULES
