"""What users do: from what is shown and what they like to a table of things that happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.events import columns as c
from feedback_platform.simulation.chances import MINUTE_MS, Amounts, Chances, Pace, click_logit
from feedback_platform.simulation.exposure import (
    CLASSES,
    PLACEMENTS,
    Impressions,
    Layout,
    draw_columns,
)
from feedback_platform.simulation.population import Floats, Integers, Population
from feedback_platform.simulation.visits import Sessions

# Columns of the table: indices until `delivery` gives them names.
SESSION: Final = "session"
ITEM: Final = "item"
LIST: Final = "list"
PLACEMENT: Final = "placement_index"
AT_MS: Final = "at_ms"


@dataclass(frozen=True)
class _Acts:
    """Things of one kind that users do to items."""

    session: Integers
    item: Integers
    at_ms: Integers

    def where(self, chosen: NDArray[np.bool_], later: Integers | int = 0) -> _Acts:
        return _Acts(self.session[chosen], self.item[chosen], (self.at_ms + later)[chosen])


class Behaviour:
    """Users in sessions, and their chances."""

    def __init__(
        self, population: Population, sessions: Sessions, random: np.random.Generator
    ) -> None:
        self._population = population
        self._sessions = sessions
        self._random = random
        self._chances = Chances()
        self._amounts = Amounts()
        self._pace = Pace()
        self._tastes = np.stack([population.tastes, population.shifted_tastes()])
        self._is_rater = random.random(len(population.groups)) < self._chances.raters

    def happenings(self, impressions: Impressions, layout: Layout) -> pl.DataFrame:
        """Return everything that happened, a row each, in no particular order.

        Returns:
            `event_type`, `session`, `item`, `list`, `placement_index`, `position`, `propensity`,
            `value`, and `at_ms` from the start of the simulation; null where it does not apply.
        """
        shown = _Acts(impressions.session, impressions.item, impressions.at_ms)
        is_clicked = self._clicks(impressions, shown)
        clicks = shown.where(
            is_clicked, self._delays(len(shown.at_ms), self._pace.click, self._pace.longest_click)
        )
        is_dismissed = ~is_clicked & self._chance(
            self._chances.dismiss - self._chances.dismiss_match * self._match(shown)
        )
        dismissals = shown.where(is_dismissed, self._after(shown, self._pace.dismiss))
        reached, is_looked_at = self._reach(layout)
        views, view_ms = self._dwell(
            _joined(clicks.where(_all(clicks), self._pace.load), reached.where(is_looked_at)),
            self._amounts.view_ms,
            self._amounts.longest_view_ms,
        )
        # Views come in the order clicked, reached: the latter lead to a use in any case.
        is_used = self._chance(self._chances.use + self._match(views))
        is_used[len(clicks.at_ms) :] = True
        uses, use_ms = self._dwell(
            _joined(views.where(is_used), reached.where(~is_looked_at)),
            self._amounts.use_ms,
            self._amounts.longest_use_ms,
        )
        frames = [
            _shown_frame("item_impression", impressions, _all(shown), shown.at_ms, exposed=True),
            _shown_frame("item_clicked", impressions, is_clicked, clicks.at_ms, exposed=False),
            _frame("item_dismissed", dismissals),
            _frame("item_viewed", views, view_ms),
            _frame("item_used", uses, use_ms),
            *self._verdicts(uses),
        ]
        everything = pl.concat(frames, how="diagonal")
        return pl.concat([everything, *self._edges(everything, shown)], how="diagonal")

    def _clicks(self, impressions: Impressions, shown: _Acts) -> NDArray[np.bool_]:
        appeal = np.array([placement.appeal for placement in PLACEMENTS])
        user = self._sessions.user[shown.session]
        logit = click_logit(
            self._chances,
            match=self._match(shown),
            quality=self._population.quality[shown.item],
            contentment=self._population.contentment[user],
            position=impressions.position,
        )
        return self._chance(logit + appeal[impressions.placement])

    def _reach(self, layout: Layout) -> tuple[_Acts, NDArray[np.bool_]]:
        """Return items that users look for by themselves, and which they view before use."""
        count = self._random.poisson(self._chances.reach, len(self._sessions))
        session = np.repeat(np.arange(len(self._sessions)), count)
        user = self._sessions.user[session]
        offered, _ = layout.draw(user, self._random.integers(0, CLASSES, len(user)), self._random)
        weights = np.exp(self._chances.sharpness * self._tastes + self._population.quality).reshape(
            -1, self._tastes.shape[2]
        )
        row = self._sessions.is_shifted[session] * len(self._population.groups) + user
        wanted = draw_columns(weights, row, self._random)
        is_offered = self._random.random(len(user)) < self._chances.from_layout
        delay = self._delays(len(user), self._pace.reach, self._pace.longest_reach)
        reached = _Acts(
            session,
            np.where(is_offered, offered, wanted),
            self._sessions.start_ms[session] + self._pace.update + delay,
        )
        return reached, self._random.random(len(user)) < self._chances.look_first

    def _verdicts(self, uses: _Acts) -> list[pl.DataFrame]:
        """Return what users say after using an item: likes, ratings, money."""
        match = self._match(uses)
        user = self._sessions.user[uses.session]
        amounts, random = self._amounts, self._random
        likes = uses.where(
            self._chance(self._chances.like + match), self._after(uses, self._pace.react)
        )
        is_rated = self._is_rater[user] & (random.random(len(user)) < self._chances.rate)
        stars = (
            amounts.rating
            + amounts.rating_match * match
            + self._population.quality[uses.item]
            + random.normal(0, amounts.rating_spread, len(user))
        )
        ratings = uses.where(is_rated, self._after(uses, self._pace.react))
        is_converted = random.random(len(user)) < self._chances.convert * np.exp(match)
        conversions = uses.where(is_converted, self._after(uses, self._pace.react))
        revenue = amounts.revenue * np.exp(random.normal(0, amounts.revenue_spread, len(user)))
        return [
            _frame("item_liked", likes),
            _frame("item_rated", ratings, np.clip(np.rint(stars), 1, 5)[is_rated]),
            _frame("item_converted", conversions, np.round(revenue, 2)[is_converted]),
        ]

    def _edges(self, everything: pl.DataFrame, shown: _Acts) -> list[pl.DataFrame]:
        """Return what frames a session: its start, who the user is, a survey, its end."""
        sessions, random = self._sessions, self._random
        last_ms = sessions.start_ms.copy()
        np.maximum.at(last_ms, everything[SESSION].to_numpy(), everything[AT_MS].to_numpy())
        # Every session meets the home page: none is without an impression.
        pleased = np.bincount(shown.session, self._match(shown)) / np.bincount(shown.session)
        answers = (
            self._amounts.answer
            + self._amounts.answer_match * pleased
            + self._amounts.answer_content * self._population.contentment[sessions.user]
            + random.normal(0, self._amounts.answer_spread, len(sessions))
        )
        is_asked = random.random(len(sessions)) < self._chances.survey
        asked_ms = last_ms + self._delays(len(sessions), self._pace.leave, self._pace.longest_leave)
        last_ms = np.where(is_asked, asked_ms, last_ms)
        ended_ms = last_ms + self._delays(len(sessions), self._pace.leave, self._pace.longest_leave)
        is_ended = random.random(len(sessions)) >= self._chances.lost_end
        every = np.arange(len(sessions))
        return [
            _edge("session_started", every, sessions.start_ms),
            _edge(
                "user_updated",
                every[sessions.is_first],
                (sessions.start_ms + self._pace.update)[sessions.is_first],
            ),
            _edge("survey_answered", every[is_asked], asked_ms[is_asked]).with_columns(
                pl.Series(c.VALUE, np.clip(np.rint(answers), 0, 10)[is_asked])
            ),
            _edge("session_ended", every[is_ended], ended_ms[is_ended]),
        ]

    def _match(self, acts: _Acts) -> Floats:
        """Return how much the user likes the item at the time."""
        shifted = self._sessions.is_shifted[acts.session].astype(np.int64)
        user = self._sessions.user[acts.session]
        return np.asarray(self._tastes[shifted, user, acts.item])

    def _chance(self, logit: Floats) -> NDArray[np.bool_]:
        return self._random.random(len(logit)) < 1 / (1 + np.exp(-logit))

    def _dwell(self, acts: _Acts, median_ms: float, longest_ms: float) -> tuple[_Acts, Floats]:
        """Return the acts at the time they end, and how long they took."""
        spread = self._random.normal(0, self._amounts.dwell_spread, len(acts.at_ms))
        dwell = median_ms * np.exp(self._amounts.dwell_match * self._match(acts) + spread)
        dwell = np.rint(np.minimum(dwell, longest_ms))
        return acts.where(_all(acts), dwell.astype(np.int64)), dwell

    def _after(self, acts: _Acts, mean_ms: float) -> Integers:
        return self._delays(len(acts.at_ms), mean_ms, MINUTE_MS)

    def _delays(self, count: int, mean_ms: float, longest_ms: float) -> Integers:
        return np.minimum(self._random.exponential(mean_ms, count), longest_ms).astype(np.int64)


def _all(acts: _Acts) -> NDArray[np.bool_]:
    return np.full(len(acts.at_ms), fill_value=True)


def _joined(first: _Acts, second: _Acts) -> _Acts:
    return _Acts(
        np.concatenate([first.session, second.session]),
        np.concatenate([first.item, second.item]),
        np.concatenate([first.at_ms, second.at_ms]),
    )


def _frame(event_type: str, acts: _Acts, value: Floats | None = None) -> pl.DataFrame:
    frame = _edge(event_type, acts.session, acts.at_ms).with_columns(pl.Series(ITEM, acts.item))
    return frame if value is None else frame.with_columns(pl.Series(c.VALUE, value))


def _edge(event_type: str, session: Integers, at_ms: Integers) -> pl.DataFrame:
    return pl.DataFrame({SESSION: session, AT_MS: at_ms}).select(
        pl.lit(event_type).alias(c.EVENT_TYPE), SESSION, AT_MS
    )


def _shown_frame(
    event_type: str,
    impressions: Impressions,
    chosen: NDArray[np.bool_],
    at_ms: Integers,
    *,
    exposed: bool,
) -> pl.DataFrame:
    acts = _Acts(impressions.session[chosen], impressions.item[chosen], at_ms)
    frame = _frame(event_type, acts).with_columns(
        pl.Series(LIST, impressions.list_number[chosen]),
        pl.Series(PLACEMENT, impressions.placement[chosen]),
        pl.Series(c.POSITION, impressions.position[chosen]),
    )
    if exposed:
        frame = frame.with_columns(pl.Series(c.PROPENSITY, impressions.propensity[chosen]))
    return frame
