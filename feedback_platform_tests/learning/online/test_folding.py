"""What a session does to the features, against a history to which the same was appended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.candidate_ranker import CandidateRanker
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.learning.online.session import session_of
from feedback_platform.learning.ranker_features import FEATURES, OF_ITEMS, OF_SOURCES, features
from feedback_platform.learning.ranker_features import Candidates as Asked
from feedback_platform.learning.ranker_history import DAY, History, history
from feedback_platform.learning.ranking import pair_matrix
from feedback_platform.learning.stored_recommender import read_recommender
from feedback_platform.learning.training import RECOMMENDER
from feedback_platform_tests.learning.frames import START, scores_of
from feedback_platform_tests.learning.online.world import (
    ITEMS,
    NEWEST,
    SCORES,
    SHOWN,
    UNAVAILABLE,
    listed,
    second,
    trained,
)
from feedback_platform_tests.learning.ranker_frames import shown_of

USERS = ["u003", "u050", "u119"]
# What one event says; the layers' own figures are compared in test_session_feedback.
SAYS = {"item_clicked": 0.6, "item_liked": 1.0, "item_dismissed": 0.0}


@dataclass(repr=False)
class World:
    online: OnlineLists
    known: History
    asked: dict[str, Asked]

    def appended(self, user: str, events: list[SessionEvent]) -> History:
        """The history of today with a user's events in it; what follows what stays as it was."""
        own = SCORES.filter(pl.col("user_id") == user)
        before = dict(own.select("item_id", "feedback_score").iter_rows())
        rows = [
            (
                user,
                event.item_id,
                # What was only done leaves an opinion as it was.
                before.get(event.item_id, 0.6) if event.event_type == "item_clicked"
                else SAYS[event.event_type],
                1.0,
                (event.at - START.timestamp()) / 3600,
            )
            for event in events
            if event.event_type in SAYS
        ]  # fmt: skip
        said = scores_of(*rows)
        scores = pl.concat([SCORES.join(said, on=["user_id", "item_id"], how="anti"), said])
        impressions = [event for event in events if event.event_type == "item_impression"]
        clicks = {event.item_id: event.at for event in events if event.event_type == "item_clicked"}
        shown = shown_of(
            *[
                (
                    user,
                    event.item_id,
                    (event.at - START.timestamp()) / 3600,
                    0 <= clicks.get(event.item_id, -1) - event.at <= 3600,
                )
                for event in impressions
            ]
        )
        known = history(
            scores, ITEMS, self.known.item_ids, shown=pl.concat([SHOWN, shown.cast(SHOWN.schema)])
        )
        return replace(known, sequences=self.known.sequences)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    lake = Lake(tmp_path_factory.mktemp("folding").as_uri())
    trained(lake)
    _, online = listed(lake)
    champion = champions.champion(lake, RECOMMENDER)
    assert champion is not None
    model = read_recommender(lake, champion)
    assert model.ranker is not None
    known = history(SCORES, ITEMS, model.item_ids, shown=SHOWN)
    ranker = CandidateRanker(model.ensemble.sources, model.ranker, known)
    instants = dict.fromkeys(USERS, NEWEST)
    seen = pair_matrix(SCORES, USERS, model.item_ids)
    is_listable = ~np.isin(model.item_ids, UNAVAILABLE)
    found = ranker.candidates(instants, seen, is_listable=is_listable)
    return World(online, known, {each.user_id: each for each in found})


ITEM_NUMBERS = st.integers(0, 39)
TYPES = st.sampled_from([*SAYS, "item_impression"])
EVENTS = st.lists(
    st.tuples(ITEM_NUMBERS, TYPES, st.integers(1, 3000)),
    max_size=6,
    unique_by=lambda drawn: (drawn[0], drawn[1] == "item_impression"),
)

# Some have settled by then, and some count no more.
LATER = st.one_of(st.integers(0, 9000), st.integers(24 * DAY, 31 * DAY))


# Each example builds a history, so a shorter one is not looked for.
@settings(max_examples=50, phases=(Phase.generate,))
@given(user=st.sampled_from(USERS), drawn=EVENTS, later=LATER, has_own=st.booleans())
def test_features_after_a_session_are_those_of_a_history_with_the_session_in_it(
    world: World, user: str, drawn: list[tuple[int, str, int]], later: int, *, has_own: bool
) -> None:
    events = [SessionEvent(kind, f"i{number:03d}", None, second(at)) for number, kind, at in drawn]
    now = second(3000 + later)
    online = world.online
    person = online.people.find(user)
    assert person is not None
    assert person.candidates is not None
    rules, threshold = online.rules, online.folding.threshold
    session = session_of(events, person, online.catalogue.rows, rules, threshold=threshold, now=now)
    folding = replace(online.folding, instant=None if has_own else int(second(0)))
    order = folding.of_lists(person.candidates, session)
    # In another order than they are stored: it must not matter.
    turned = slice(None, None, -1)
    found = folding.features(
        person, person.candidates, session, order.items[turned], order.places[turned], int(now)
    )[turned]

    known = world.appended(user, events)
    asked = world.asked[user]
    later_on = replace(asked, at=NEWEST + timedelta(seconds=int(now) - int(second(0))))
    expected = features(known, later_on)
    # What everybody thinks of an item is that of the lists' instant.
    width = asked.scores.shape[1] + OF_SOURCES
    expected[:, width : width + OF_ITEMS] = features(known, asked)[:, width : width + OF_ITEMS]
    # So is how long ago the user had been there; not at all at each user's own last feedback.
    idle = asked.scores.shape[1] + list(FEATURES).index("user_idle_days")
    expected[:, idle] = 0 if has_own else features(world.known, asked)[:, idle]
    row = {item: place for place, item in enumerate(asked.items.tolist())}
    wanted = expected[[row[item] for item in order.items.tolist()]]
    assert found.shape == wanted.shape == (len(order.items), asked.scores.shape[1] + len(FEATURES))
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6, nan_ok=True)
    for event in events:
        if event.event_type != "item_impression":
            assert world.known.item_rows[event.item_id] not in order.items
