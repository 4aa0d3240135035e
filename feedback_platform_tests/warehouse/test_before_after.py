"""What is compared before and after a change, against figures worked out by hand and by NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy import stats

from feedback_platform.warehouse.transformation import DbtProject
from feedback_platform_tests.warehouse.random_events import adjustments, model_versions
from feedback_platform_tests.warehouse.small_platform import SmallPlatform, event

LATER = datetime(2026, 6, 1, tzinfo=UTC)
USERS = 12


def _at(month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def _event(event_type: str, user: str, at: datetime, **fields: Any) -> dict[str, Any]:
    name = f"{event_type}-{user}-{at:%m%d%H%M}"
    return event(name, event_type, user_id=user, occurred_at=at.isoformat(), **fields)


# Of each user before and after the change: visits of so many impressions, of which so many clicked.
_random = Random(7)
SEEN = [
    tuple((shown := _random.randint(1, 9), _random.randint(0, shown)) for _ in range(2))
    for _ in range(USERS)
]


def _visits(days: Sequence[datetime]) -> list[dict[str, Any]]:
    """One visit of each user on each of two days: a minute for each impression."""
    events = []
    for user, seen in enumerate(SEEN):
        for day, (shown, clicked) in zip(days, seen, strict=True):
            visit = {"session_id": f"{user} {day:%m%d}", "recommendation_id": f"{user} {day:%m%d}"}
            for number in range(shown):
                at, item = day + timedelta(minutes=number), {"item_id": f"i{number}"}
                events.append(_event("item_impression", f"u{user}", at, **visit, **item))
                if number < clicked:
                    seconds_later = at + timedelta(seconds=30)
                    events.append(
                        _event("item_clicked", f"u{user}", seconds_later, **visit, **item)
                    )
    return events


CHANGES = {
    ("ml", "model_versions"): model_versions(
        ("v0", None), ("v1", _at(4, 15)), ("v2", _at(5, 18)), ("v3", _at(5, 20))
    ),
    ("metrics", "adjustments"): adjustments(
        ("taken back", _at(4, 20), _at(4, 22, 18)), ("at once", _at(4, 20), _at(4, 21))
    ),
}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, project: DbtProject) -> SmallPlatform:
    platform = SmallPlatform.at(tmp_path_factory.mktemp("before-after"), project)
    platform.kept = CHANGES
    elsewhere = [
        # On the day of the change, and a day too early and too late.
        *[_event("item_rated", "u0", _at(4, day), item_id="i", value=1) for day in (7, 15, 23)],
        _event("item_rated", "u0", _at(4, 8, 0), item_id="i", value=2),
        _event("item_rated", "u1", _at(4, 22, 23, 59), item_id="i", value=4.5),
        _event("session_started", "u0", _at(5, 20, 0, 30), session_id="last"),
    ]
    happened = [*_visits([_at(4, 9), _at(4, 21)]), *elsewhere]
    platform.land(*happened, received_at=LATER, object_id="1")
    platform.process()
    return platform


def _row(platform: SmallPlatform, subject: str, metric: str) -> dict[str, Any]:
    sql = "from metrics.before_after where subject = ? and metric = ?"
    (row,) = platform.records(sql, [subject, metric])
    return row


def _by_the_delta_method(pairs: Sequence[tuple[tuple[float, float], ...]]) -> tuple[float, ...]:
    """Difference of two ratios and its 95 % interval, from what each user adds to both."""
    table = np.array(pairs, dtype=float)
    (n, x), (m, y) = table[:, 0].T, table[:, 1].T
    before, after = x.sum() / n.sum(), y.sum() / m.sum()
    parts = (y - after * m) / m.sum() - (x - before * n) / n.sum()
    deviation = math.sqrt(len(parts) * parts.var(ddof=1))
    reach = stats.t.ppf(0.975, len(parts) - 1) * deviation
    return after - before, after - before - reach, after - before + reach


def test_click_through_before_and_after_has_the_interval_of_its_users(
    compared: SmallPlatform,
) -> None:
    row = _row(compared, "v1", "click_through_rate")

    shown, clicked = np.array(SEEN).sum(axis=0).T
    assert (row["kind"], row["at"]) == ("model_version", _at(4, 15).replace(tzinfo=None))
    assert (row["before_days"], row["after_days"], row["is_complete"]) == (7, 7, True)
    assert (row["before_n"], row["after_n"], row["users"]) == (*shown, USERS)
    assert (row["before"], row["after"]) == pytest.approx(tuple(clicked / shown))
    expected = _by_the_delta_method(SEEN)
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(expected, abs=1e-4)


def test_seconds_are_those_of_visits_and_have_their_interval(compared: SmallPlatform) -> None:
    row = _row(compared, "v1", "session_seconds")

    # The last impression comes a minute after the one before it, a click on it half a minute later.
    seconds = [
        tuple((1, 60 * (shown - 1) + 30 * (clicked == shown)) for shown, clicked in seen)
        for seen in SEEN
    ]
    # One rated in the first minute of the first day: visits of no length.
    seconds[0] = ((2, seconds[0][0][1]), seconds[0][1])
    seconds[1] = (seconds[1][0], (2, seconds[1][1][1]))
    expected = _by_the_delta_method(seconds)
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(expected, rel=1e-3)


def test_the_days_are_whole_and_that_of_the_change_belongs_to_neither_side(
    compared: SmallPlatform,
) -> None:
    row = _row(compared, "v1", "average_rating")

    assert (row["before_n"], row["before"], row["after_n"], row["after"]) == (1, 2.0, 1, 4.5)
    # Of two users nobody can tell how users differ.
    assert (row["difference"], row["low"], row["high"]) == (2.5, None, None)


def test_what_was_not_observed_is_nothing(compared: SmallPlatform) -> None:
    row = _row(compared, "v1", "csat")

    assert (row["before_n"], row["before"], row["after_n"], row["after"]) == (0, None, 0, None)
    assert (row["difference"], row["users"]) == (None, 0)


def test_where_nobody_differs_from_anybody_there_is_no_interval(compared: SmallPlatform) -> None:
    row = _row(compared, "v1", "conversion_rate")

    # Nobody converted anything, on either side.
    assert (row["before"], row["after"], row["difference"]) == (0.0, 0.0, 0.0)
    assert (row["low"], row["high"]) == (None, None)


def test_a_change_is_compared_over_the_days_that_are_over_and_while_it_stood(
    compared: SmallPlatform,
) -> None:
    rows = compared.query(
        "select distinct kind, subject, before_days, after_days, is_complete, other_changes "
        "from metrics.before_after order by subject"
    )

    # The newest event is half an hour into 20 May: the 19th is over. v3 has no day yet, and the
    # adjustment that was taken back the day after it has none either.
    assert rows == [
        ("adjustment", "taken back", 1, 1, True, 1),
        ("model_version", "v1", 7, 7, True, 2),
        ("model_version", "v2", 1, 1, False, 0),
    ]


# In short: the random histories of test_incremental.py.
@pytest.mark.slow
def test_a_comparison_grows_day_by_day_and_follows_what_is_put_into_use(
    platform: SmallPlatform,
) -> None:
    platform.kept = {
        ("ml", "model_versions"): model_versions(("v1", _at(4, 15))),
        ("metrics", "adjustments"): adjustments(),
    }
    days = (
        "select after_days, is_complete, before_n, after_n from metrics.before_after "
        "where metric = 'average_rating'"
    )

    def after(number: int, *ends: datetime) -> list[Any]:
        events = [_event("item_rated", "u1", at, item_id="i", value=3) for at in ends]
        platform.land(*events, received_at=LATER, object_id=str(number))
        platform.process()
        return platform.query(days)

    platform.process()  # of nothing
    assert platform.query(days) == []
    assert after(1, _at(4, 13), _at(4, 14), _at(4, 17, 0, 29)) == []
    assert after(2, _at(4, 17, 0, 30)) == [(1, False, 1, 0)]
    assert after(3, _at(4, 22)) == [(6, False, 2, 2)]
    assert after(4, _at(5, 1)) == [(7, True, 2, 3)]
    # Late, on a day of the window; and one that is in none.
    assert after(5, _at(4, 9), _at(4, 5)) == [(7, True, 3, 3)]

    versions = ("ml", "model_versions")
    platform.keep({versions: model_versions(("v1", _at(4, 15)), ("v2", _at(4, 12)))})
    # What the jobs run behind models, without new batches.
    platform.run(["engagement_days", "engagement_daily", "conversion_daily", "before_after"])
    platform.publish()
    subjects = 'select distinct subject, "at"::date, other_changes from metrics.before_after'
    assert sorted(platform.query(subjects)) == [
        ("v1", date(2026, 4, 15), 1),
        ("v2", date(2026, 4, 12), 1),
    ]
    platform.keep({versions: model_versions(("v1", _at(4, 20)))})
    platform.run(["before_after"])
    platform.publish()
    assert platform.query(subjects) == [("v1", date(2026, 4, 20), 0)]
    assert platform.tables() == platform.rebuilt().stored()
