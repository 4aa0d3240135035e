"""Which lists a user gets, and how they come about: what experiments and shipments make of it.

A list may be varied in three ways at once: by the version of the model that has made it, by the
ranking policy of the placement that shows it, and by numbers. Each has seeds of its own, so that
what one experiment gives says nothing about another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from feedback_platform.adjustment.flags.context import Facts
from feedback_platform.adjustment.flags.definition import SEGMENT, SEGMENT_ID
from feedback_platform.experiments.assignment import Participant
from feedback_platform.experiments.definition import Lever
from feedback_platform.experiments.levers import (
    CHAMPION,
    COLD_SHARE,
    EXPLORATION_SHARE,
    PERSONAL,
    PLACEMENT,
    POPULAR,
    RECOMMENDER,
    THRESHOLDS,
)
from feedback_platform.experiments.running import Assignment, RunningExperiments
from feedback_platform.experiments.versions import versions_of
from feedback_platform.privacy.preferences import Preferences
from feedback_platform.serving.experiment_tally import ExperimentTally

if TYPE_CHECKING:
    from feedback_platform.learning.online.online_lists import OnlineLists

_Number = float | None
# Few combinations are in use at a time; of the lists each, only what is different is held twice.
_MOST_VARIED: Final = 500


class Lists(Protocol):
    """What is published."""

    @property
    def current(self) -> OnlineLists | None:
        """The champion's lists."""
        ...

    @property
    def by_version(self) -> Mapping[str, OnlineLists]:
        """All of them."""
        ...


class Experiments(Protocol):
    """What runs."""

    @property
    def experiments(self) -> RunningExperiments:
        """At this moment."""
        ...


class Users(Protocol):
    """What is known of users, at once, from memory."""

    def of(self, targeting_key: str) -> Facts:
        """Return a user's segment."""
        ...


@dataclass(frozen=True)
class Chosen:
    """What a user's list is made of.

    Attributes:
        lists: by the user's version and numbers.
        policy: how they are ranked, one of `levers.RANKING_POLICIES`.
        assignments: that have decided any of it; that of the ranking policy first, then numbers,
            then the model.
    """

    lists: OnlineLists
    policy: str
    assignments: tuple[Assignment, ...] = ()


class VariedLists:
    """Chooses among the published lists.

    Attributes:
        assignments: how many lists were answered by an experiment, by its variants.
    """

    def __init__(self, published: Lists, experiments: Experiments, users: Users) -> None:
        self._published = published
        self._feed = experiments
        self._users = users
        self._varied: dict[tuple[str, _Number, _Number], OnlineLists] = {}
        self._varied_of: Mapping[str, OnlineLists] = {}
        self.assignments = ExperimentTally()

    @property
    def current(self) -> OnlineLists | None:
        """The champion's lists as they were published; None where there are none."""
        return self._published.current

    def chosen(self, user_id: str, placement: str, preferences: Preferences) -> Chosen | None:
        """Return what a list of this moment is made of; None where none were published."""
        lists = self._published.current
        if lists is None:
            return None
        experiments = self._feed.experiments
        if not preferences.is_personalised or not (experiments.running or experiments.shipped):
            return Chosen(lists, PERSONAL)
        assigned = dict(self._assigned(user_id, placement, preferences, experiments))

        def value(lever: Lever, subject: str) -> str | float | None:
            found = assigned.get((lever, subject))
            return experiments.shipped.get((lever, subject)) if found is None else found.value

        version = assigned.get((Lever.MODEL, RECOMMENDER))
        if version is not None and version.value != CHAMPION:
            lists = self._published.by_version[str(version.value)]
        if (Lever.THRESHOLD, COLD_SHARE) in assigned and lists.knows(user_id):
            # Such a list is the same by any number: to count its user would only dilute the effect.
            del assigned[Lever.THRESHOLD, COLD_SHARE]
        policy = str(value(Lever.RANKING_POLICY, placement) or PERSONAL)
        share, cold = (value(Lever.THRESHOLD, name) for name in (EXPLORATION_SHARE, COLD_SHARE))
        if policy == POPULAR:
            # No draw makes this list, and no click: nobody in it meets the numbers.
            found = (each for each in assigned.values() if each.lever is not Lever.THRESHOLD)
            return Chosen(lists, POPULAR, tuple(found))
        return Chosen(
            self._by_numbers(lists, _number(share), _number(cold)),
            policy,
            tuple(assigned.values()),
        )

    def _assigned(
        self,
        user_id: str,
        placement: str,
        preferences: Preferences,
        experiments: RunningExperiments,
    ) -> Iterator[tuple[tuple[Lever, str], Assignment]]:
        facts = self._users.of(user_id)
        attributes = {SEGMENT: facts.segment, SEGMENT_ID: facts.segment_id, PLACEMENT: placement}
        participant = Participant(
            user_id, attributes, preferences.is_personalised, preferences.allows_research
        )
        for lever, subject in (
            (Lever.RANKING_POLICY, placement),
            *((Lever.THRESHOLD, name) for name in THRESHOLDS),
            (Lever.MODEL, RECOMMENDER),
        ):
            found = experiments.assigned(lever, subject, participant)
            if found is None or not self._is_possible(found, experiments):
                continue
            yield (lever, subject), found

    def _is_possible(self, assignment: Assignment, experiments: RunningExperiments) -> bool:
        """Return whether every variant can be given: else nobody gets any, or arms were not alike.

        The lists of a version are there after the next making of lists, and may be damaged.
        """
        wanted = versions_of(experiments.running[assignment.experiment_id])
        return wanted <= self._published.by_version.keys()

    def _by_numbers(self, lists: OnlineLists, share: _Number, cold: _Number) -> OnlineLists:
        if share is None and cold is None:
            return lists
        if self._varied_of is not self._published.by_version or len(self._varied) >= _MOST_VARIED:
            self._varied, self._varied_of = {}, self._published.by_version
        key = (lists.model_version, share, cold)
        found = self._varied.get(key)
        if found is None:
            found = lists.with_numbers(exploration_share=share, cold_share=cold)
            self._varied[key] = found
        return found


def _number(value: str | float | None) -> float | None:
    return None if value is None else float(value)
