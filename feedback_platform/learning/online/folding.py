"""A user's candidates with what the session adds: other features, new candidates, another order.

The features are those of `ranker_features`, of a history to which the session was appended, but for
the clock: it stands where it stood when the lists were made. That goes for what everybody's
feedback says of an item, and for how long ago the user was there last. The ranker has learned at
instants at which hardly anybody had been there a minute before; in a session everybody has. New
candidates are what follows the session's items; they were not among the user's best, so each source
is taken to say of them the least that it says of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.online.catalogue import (
    Catalogue,
    Following,
    Indexes,
    Places,
    leaders_of,
    sums_of,
)
from feedback_platform.learning.online.people import Candidates, Person
from feedback_platform.learning.online.session import Session
from feedback_platform.learning.online.tree_masks import TreeMasks
from feedback_platform.learning.ranker_calibration import Calibration
from feedback_platform.learning.ranker_features import (
    FEATURES,
    OF_ITEMS,
    OF_SOURCES,
    SHOWN_DAYS,
    Features,
    impression_columns,
    user_columns,
)
from feedback_platform.learning.ranker_history import DAY
from feedback_platform.learning.ranker_sequences import LAST
from feedback_platform.learning.ranker_trees import Trees

# How many items that follow the session's may become candidates, and how many of its newest ones
# may bring them.
NEW_CANDIDATES: Final = 50
_LEADING: Final = 5


@dataclass(frozen=True, eq=False)
class Order:
    """A user's items, the best first.

    Attributes:
        items: indexes.
        values: what the model says of each.
        places: the place of each among the stored ones, -1 for what the session has brought.
        led_by: which of the session's items it follows most, by index; -1 where it follows none,
            or stands no higher for it.
    """

    items: Indexes
    values: NDArray[np.float64]
    places: Indexes
    led_by: Indexes


@dataclass(frozen=True, eq=False)
class Folding:
    """Orders candidates anew.

    Attributes:
        catalogue: the items.
        sources: how many sources the ranker knows.
        trees, calibration: the ranker, None where the model has none.
        threshold: a score from here on is positive.
        instant: the second at which the lists were made; None where it was each user's own last.
        session_weight: without a ranker: what the strongest of what follows the session is worth
            beside the ensemble's sum, in standard deviations of the user's candidates.
        cold_share: where the model does not know the user: the share of what follows the session
            beside what is popular.
    """

    catalogue: Catalogue
    sources: int
    trees: TreeMasks | Trees | None
    calibration: Calibration | None
    threshold: float
    instant: int | None
    session_weight: float = 1.0
    cold_share: float = 0.5

    def of_lists(self, candidates: Candidates, session: Session) -> Order:
        """Return the order of the lists, without what has left since."""
        items = candidates.items.astype(np.int64)
        places = np.arange(len(items))
        for item in session.leaving:
            places = places[items[places] != item]
        return Order(items[places], candidates.values[places], places, np.full(len(places), -1))

    def of_moment(
        self, person: Person, candidates: Candidates, session: Session, now: int
    ) -> Order:
        """Return the order of a user's candidates with what the session adds.

        Args:
            person: what was known.
            candidates: what was stored.
            session: what happened since.
            now: the second of the request.
        """
        before = self.of_lists(candidates, session)
        led = self.led(session)
        items, stored = self._joined(before, led, person, session)
        with self.catalogue.places(items) as places:
            if self.trees is None or self.calibration is None:
                values = self._beside_the_sum(before, led, places, len(items))
                decisive = values
            else:
                rows = self._rows(person, candidates, session, items, stored, places, now)
                decisive = self.trees.predict(rows)
                values = self.calibration.probabilities(decisive)
            leaders = leaders_of(led, places, len(items))
        return _raised(items, values, stored, leaders, np.lexsort((items, -decisive)), before)

    def popular(self, person: Person, session: Session, size: int) -> Order:
        """Return what is popular, without what the user knows, and with what the session adds.

        Args:
            person: what was known.
            session: what happened since.
            size: how many popular items to take.
        """
        catalogue = self.catalogue
        known = person.seen.tolist()
        out = frozenset(known).union(session.leaving)
        items = catalogue.popular[: size + len(out)].astype(np.int64)
        if out:
            items = items[[item not in out for item in items.tolist()]]
        items = items[:size]
        popularity = catalogue.popularity[items].astype(np.float64)
        before = Order(items, popularity, np.arange(len(items)), np.full(len(items), -1))
        led = self.led(session)
        if not len(led.items) or not len(items):
            return before
        items, stored = self._joined(before, led, person, session)
        likes = np.log1p(catalogue.popularity[items].astype(np.float64))
        with catalogue.places(items) as places:
            share = _share(led, places, len(items))
            leaders = leaders_of(led, places, len(items))
        values = (1 - self.cold_share) * likes / likes.max() + self.cold_share * share
        return _raised(items, values, stored, leaders, np.lexsort((items, -values)), before)

    def led(self, session: Session) -> Following:
        """Return what follows the newest of what the session speaks for."""
        newest = [each.item for each in session.liked[-_LEADING:]]
        return self.catalogue.neighbours.after(np.array(newest, dtype=np.int64))

    def features(
        self,
        person: Person,
        candidates: Candidates,
        session: Session,
        items: Indexes,
        stored: Indexes,
        now: int,
    ) -> Features:
        """Return the ranker's features of candidates, with what the session adds.

        Args:
            person: what was known.
            candidates: what was stored.
            session: what happened since.
            items: the candidates, those that are new behind the others.
            stored: the place of each among the stored ones, -1 for one that is new.
            now: the second of the request.
        """
        with self.catalogue.places(items) as places:
            return self._rows(person, candidates, session, items, stored, places, now)

    def _rows(
        self,
        person: Person,
        candidates: Candidates,
        session: Session,
        items: Indexes,
        stored: Indexes,
        places: Places,
        now: int,
    ) -> Features:
        categories, sizes = self.catalogue.categories, self.catalogue.category_sizes
        of_items = categories.take(items, axis=0)
        own, is_liked = _history(person, session, self.threshold)
        seen, clicked = _impressions(person, session, now)
        following = self.catalogue.neighbours.after(own[-LAST:])
        width = self.sources + OF_SOURCES
        # Feature after feature, as the trees ask for them.
        columns = np.empty((self.sources + len(FEATURES), len(items)), dtype=np.float32)
        known = int(np.count_nonzero(stored >= 0))
        said = candidates.said
        columns[:width, :known] = said.take(stored[:known], axis=0).T
        if known < len(items):
            columns[:width, known:] = _least_said(said, self.sources)[:, None]
        columns[width : width + OF_ITEMS] = self.catalogue.features.take(items, axis=0).T
        of_user: tuple[Any, ...] = (
            sums_of(following, places, len(items)),
            *user_columns(own, is_liked, self._idle(person), of_items, categories, sizes),
            *impression_columns(places.take(seen), seen, clicked, of_items, categories),
        )
        for place, column in enumerate(of_user, start=width + OF_ITEMS):
            columns[place] = column
        return columns.T

    def _idle(self, person: Person) -> int:
        """Return for how many seconds the user had not been there when the lists were made."""
        if self.instant is None or not len(person.own_seconds):
            return 0
        return self.instant - int(person.own_seconds[-1])

    def _joined(
        self, before: Order, led: Following, person: Person, session: Session
    ) -> tuple[Indexes, Indexes]:
        """Return items, with what follows the session's most of what else may be listed."""
        items, totals = _totals(led)
        is_known = np.zeros(len(self.catalogue.item_ids), dtype=np.bool_)
        is_known[before.items] = True
        is_known[person.seen] = True
        is_known[list(session.leaving)] = True
        may_come = self.catalogue.is_available[items] & ~is_known[items]
        items, totals = items[may_come], totals[may_come]
        new = items[np.lexsort((items, -totals))[:NEW_CANDIDATES]]
        places = np.full(len(before.items) + len(new), -1)
        places[: len(before.items)] = before.places
        return np.concatenate([before.items, new]), places

    def _beside_the_sum(
        self, before: Order, led: Following, places: Places, size: int
    ) -> NDArray[np.float64]:
        """Return the ensemble's sum with what follows the session beside it."""
        least = before.values.min(initial=np.inf) if len(before.values) else 0.0
        values = np.full(size, least)
        values[: len(before.values)] = before.values
        spread = float(before.values.std()) if len(before.values) else 1.0
        return values + self.session_weight * (spread or 1.0) * _share(led, places, size)


def _share(led: Following, places: Places, size: int) -> NDArray[np.float64]:
    """Return how much each item follows the session, beside the one that does most."""
    follows = sums_of(led, places, size).astype(np.float64)
    most = follows.max(initial=0.0)
    return follows / most if most > 0 else follows


def _raised(
    items: Indexes,
    values: NDArray[np.float64],
    stored: Indexes,
    leaders: Indexes,
    order: Indexes,
    before: Order,
) -> Order:
    """Return items in an order, with what the session has raised in it."""
    # Those that were there stand in front, in their order; what is new comes behind everything.
    ranks = np.full(len(items), len(items))
    ranks[: len(before.items)] = np.arange(len(before.items))
    is_risen = np.arange(len(items)) < ranks[order]
    led_by = np.where(is_risen, leaders[order], -1)
    return Order(items[order], values[order], stored[order], led_by)


def _totals(led: Following) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Return each item that follows any, once, and how much it follows in all."""
    if len(led.leaders) and led.leaders[0] == led.leaders[-1]:
        # What follows a single item stands there once.
        return led.items, led.weights
    items, of_item = np.unique(led.items, return_inverse=True)
    return items, np.bincount(of_item, led.weights, minlength=len(items))


def _least_said(said: Features, sources: int) -> Features:
    """Return what the sources are taken to say of a candidate that they have not found."""
    least = np.zeros(said.shape[1], dtype=np.float32)
    if len(said):
        least[:sources] = np.minimum.reduce(said[:, :sources], axis=0)
        least[sources] = np.add.reduce(least[:sources]) / sources
        least[sources + 1 :] = np.maximum.reduce(said[:, sources + 1 :], axis=0)
    return least


def _history(
    person: Person, session: Session, threshold: float
) -> tuple[Indexes, NDArray[np.bool_]]:
    """Return the items with feedback, the newest last, and which of them are liked."""
    taken = session.taken
    stays = np.ones(len(person.own), dtype=np.bool_)
    for each in taken:
        stays &= person.own != each.item
    own = np.concatenate([person.own[stays], [each.item for each in taken]]).astype(np.int64)
    is_liked = np.concatenate(
        [person.own_scores[stays] >= threshold, [each.is_liked for each in taken]]
    ).astype(np.bool_)
    seconds = np.concatenate([person.own_seconds[stays], [each.second for each in taken]])
    if taken and len(seconds) > len(taken) and taken[0].second <= seconds[-len(taken) - 1]:
        # What happened before came later.
        order = np.lexsort((own, seconds))
        own, is_liked = own[order], is_liked[order]
    return own, is_liked


def _impressions(person: Person, session: Session, now: int) -> tuple[Indexes, NDArray[np.float64]]:
    """Return the items of the impressions that count, and which of them were clicked."""
    since = now - SHOWN_DAYS * DAY
    first, last = person.shown_seconds.searchsorted([since, now], "right")
    seen, clicked = person.shown[first:last], person.shown_clicked[first:last]
    if session.shown:
        late = [each for each in session.shown if each[1] > since]
        seen = np.concatenate([seen, [item for item, _, _ in late]])
        clicked = np.concatenate([clicked, [is_clicked for _, _, is_clicked in late]])
    return seen.astype(np.int64), clicked.astype(np.float64)
