"""The lists of a file, as they were published, or as they are after a session's last seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.boosting import boost
from feedback_platform.learning.exploration import (
    NO_EXPLORATION,
    Exploration,
    ExploredList,
    draws_of_one,
    explore_list,
)
from feedback_platform.learning.online.array_file import ArrayFile
from feedback_platform.learning.online.catalogue import Catalogue, Indexes
from feedback_platform.learning.online.explaining import because, reasons_for
from feedback_platform.learning.online.folding import Folding, Order
from feedback_platform.learning.online.people import STRANGER, People, Person
from feedback_platform.learning.online.records import Explanation, Listed, SessionEvent
from feedback_platform.learning.online.session import NO_SESSION, Session, session_of
from feedback_platform.learning.online.session_feedback import SessionRules
from feedback_platform.learning.online.tree_masks import TreeMasks
from feedback_platform.learning.ranker_calibration import Calibration
from feedback_platform.learning.ranker_features import FEATURES, OF_SOURCES
from feedback_platform.learning.ranker_trees import Trees
from feedback_platform.learning.recommendations import EXPLORED, LIST_LENGTH

_NO_DRAW = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class _List:
    """A list of the moment: the order, and where each of its items stands."""

    person: Person
    session: Session
    order: Order
    explored: ExploredList


@dataclass(frozen=True, eq=False)
class OnlineLists:
    """Everybody's lists.

    Attributes:
        model_version: of the model that has made them.
        made_at: when (UTC).
        catalogue, people: the items and the users.
        folding: what orders candidates anew.
        rules: how a session's events become feedback.
        exploration, length, salt: of what is drawn, as when the lists were made.
    """

    model_version: str
    made_at: datetime
    catalogue: Catalogue
    people: People
    folding: Folding
    rules: SessionRules
    exploration: Exploration
    length: int
    salt: str

    @classmethod
    def open(cls, path: Path) -> OnlineLists:
        """Map a file into memory.

        Raises:
            InvalidInputError: it is none of these, of another release, cut short or damaged.
        """
        return cls.of(ArrayFile.open(path))

    @classmethod
    def of(cls, file: ArrayFile) -> OnlineLists:
        """Return the lists of a file that is mapped.

        Raises:
            InvalidInputError: its parts do not fit together.
        """
        facts = file.facts
        try:
            if facts["features"] != list(FEATURES):
                raise file.refused("was written by a release with other features of the ranker")
            sources, line = len(facts["sources"]), facts["calibration"]
            catalogue = Catalogue.read(file)
            width = 0 if line is None else sources + OF_SOURCES
            items, segments = len(catalogue.item_ids), len(catalogue.segments)
            trees = None if line is None else _trees(file, sources + len(FEATURES))
            return cls(
                model_version=str(facts["model_version"]),
                made_at=datetime.fromisoformat(facts["made_at"]),
                catalogue=catalogue,
                people=People.read(file, items, segments, width),
                folding=Folding(
                    catalogue,
                    sources,
                    None if trees is None else TreeMasks.of(trees) or trees,
                    None if line is None else Calibration(**line),
                    float(facts["threshold"]),
                    None if facts["instant"] is None else int(facts["instant"]),
                ),
                rules=SessionRules.from_facts(facts["rules"]),
                exploration=_within(Exploration(**facts["exploration"]), int(facts["length"])),
                length=int(facts["length"]),
                salt=str(facts["salt"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise file.refused(f"lacks a fact or has a strange one ({error!r})") from error

    def recommend(
        self,
        user_id: str,
        session: Sequence[SessionEvent],
        *,
        now: float,
        n: int = LIST_LENGTH,
        is_personal: bool = True,
    ) -> list[Listed]:
        """Return the n best items for a user at this moment.

        Without events that count it is the published list, and for n beyond its length what comes
        next. Of a user whom the lists do not know it is what is popular.

        Args:
            user_id: who asks.
            session: what the user did of late, in any order; what the lists know already counts
                for nothing.
            now: in seconds since 1970; what happens later is not known.
            n: how many; fewer where there are no more.
            is_personal: False for what everybody is shown: what is popular, whatever the user
                knows, did or dismissed, without a draw.
        """
        made = self._made(user_id, session, now, is_personal=is_personal)
        order, catalogue = made.order, self.catalogue
        # Whole columns: every single number of an array costs as much to take out.
        items, values = order.items.tolist(), order.values.tolist()
        led_by = order.led_by.tolist()
        ranks = made.explored.ranks[:n]
        likes = _likes_of(made.person, order.places, ranks)
        return [
            Listed(
                catalogue.item_ids[items[rank]],
                catalogue.titles[items[rank]],
                catalogue.categories_of(items[rank]),
                values[rank],
                propensity,
                EXPLORED
                if rank > place
                else because(catalogue, made.session, likes=of_item, led_by=led_by[rank]),
                rank > place,
            )
            for place, (rank, propensity, of_item) in enumerate(
                zip(ranks, made.explored.propensities, likes, strict=False)
            )
        ]

    def explain(
        self,
        user_id: str,
        session: Sequence[SessionEvent],
        item_id: str,
        *,
        now: float,
        is_personal: bool = True,
    ) -> Explanation | None:
        """Return why an item is where it is; None for an item that the lists do not know.

        The arguments are those of `recommend`.
        """
        item = self.catalogue.rows.get(item_id)
        if item is None:
            return None
        made = self._made(user_id, session, now, is_personal=is_personal)
        rank = _first(made.order.items == item)
        place = None if rank is None else made.explored.ranks.index(rank)
        propensity = None
        if rank is not None and place is not None and rank > place:
            propensity = made.explored.propensities[place]
        stored = None if rank is None else int(made.order.places[rank])
        return Explanation(
            item_id=item_id,
            title=self.catalogue.titles[item],
            is_listed=place is not None,
            position=None if place is None else place + 1,
            score=None if rank is None else float(made.order.values[rank]),
            reasons=reasons_for(
                item,
                self.catalogue,
                made.person,
                made.session,
                place=stored,
                propensity=propensity,
            ),
        )

    def knows(self, user_id: str) -> bool:
        """Return whether the model has met a user, whose candidates are therefore stored."""
        person = self.people.find(user_id)
        return person is not None and person.candidates is not None

    def with_numbers(
        self, *, exploration_share: float | None = None, cold_share: float | None = None
    ) -> OnlineLists:
        """Return the same lists by other numbers; those that are None stay.

        Args:
            exploration_share: how often one of the first places is drawn.
            cold_share: of a user whom the model does not know, how much what follows the session
                counts beside what is popular, 0 to 1.

        Raises:
            InvalidInputError: the share of exploration is none.
        """
        exploration, folding = self.exploration, self.folding
        if exploration_share is not None:
            exploration = replace(exploration, share=exploration_share)
        if cold_share is not None:
            folding = replace(folding, cold_share=cold_share)
        return replace(self, exploration=exploration, folding=folding)

    @cached_property
    def _most(self) -> int:
        """How many items of a user may come up in a list."""
        return self.length + self.exploration.pool

    def _made(
        self, user_id: str, events: Sequence[SessionEvent], now: float, *, is_personal: bool
    ) -> _List:
        if not is_personal:
            order = self.folding.popular(STRANGER, NO_SESSION, self._most)
            return self._shown(STRANGER, NO_SESSION, order, None)
        person = self.people.find(user_id) or STRANGER
        session = session_of(
            events,
            person,
            self.catalogue.rows,
            self.rules,
            threshold=self.folding.threshold,
            now=now,
        )
        candidates = person.candidates
        if candidates is None:
            order = self.folding.popular(person, session, self._most)
        elif session.taken or session.shown:
            order = self.folding.of_moment(person, candidates, session, int(now))
        else:
            order = self.folding.of_lists(candidates, session)
        return self._shown(person, session, order, user_id)

    def _shown(self, person: Person, session: Session, order: Order, drawn: str | None) -> _List:
        """Boost and explore an order as the published lists are."""
        size = min(self._most, len(order.items))
        kept: slice | Indexes = slice(size)
        if self.catalogue.has_boosted:
            first = order.items[:size][None]
            _, lifted = boost(first, np.arange(size)[None], self.catalogue.is_boosted)
            kept = lifted[0].astype(np.int64)
        order = Order(order.items[kept], order.values[kept], order.places[kept], order.led_by[kept])
        draws = _NO_DRAW if drawn is None else draws_of_one(drawn, self.salt)
        exploration = NO_EXPLORATION if drawn is None else self.exploration
        explored = explore_list(size, max(self._most, 1), draws, exploration)
        return _List(person, session, order, explored)


def _within(exploration: Exploration, length: int) -> Exploration:
    """Return what is explored of lists of a length, whatever length is asked for later."""
    return replace(exploration, places=min(exploration.places, length))


def _likes_of(person: Person, places: Indexes, ranks: Sequence[int]) -> Sequence[list[int] | None]:
    """Return the likes that speak for the items of some ranks; None of a user nobody has met."""
    if person.candidates is None:
        return [None] * len(ranks)
    stored = places[ranks]
    likes: list[list[int]] = person.candidates.likes.take(stored, axis=0, mode="wrap").tolist()
    return [
        of_item if place >= 0 else [] for place, of_item in zip(stored.tolist(), likes, strict=True)
    ]


def _first(is_it: NDArray[np.bool_]) -> int | None:
    (found,) = np.nonzero(is_it)
    return int(found[0]) if len(found) else None


def _trees(file: ArrayFile, features: int) -> Trees:
    leaves = file.array("tree_leaves", np.int64, (None, 1))[:, 0]
    splits = (None,)
    return Trees(
        features,
        leaves,
        file.array("tree_split_features", np.int64, splits),
        file.array("tree_decisions", np.int64, splits),
        file.array("tree_left", np.int64, splits),
        file.array("tree_right", np.int64, splits),
        file.array("tree_thresholds", np.float32, splits),
        file.array("tree_values", np.float32, (None,)),
    )
