"""The lists that one version of the recommender makes of today's feedback.

The champion's are everybody's. Those of another version are given to some users by an experiment;
of them there is only the file from which requests are answered.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.exploration import NO_EXPLORATION, Exploration
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion
from feedback_platform.learning.online.publication import Write
from feedback_platform.learning.online.writing import OnlineSettings, write_lists
from feedback_platform.learning.ranker_history import history
from feedback_platform.learning.recommendations import make_lists
from feedback_platform.learning.segment_tables import segment_names
from feedback_platform.learning.stored_recommender import read_recommender
from feedback_platform.learning.training import RECOMMENDER

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ListsInput:
    """What lists are made of, whichever version makes them.

    Attributes:
        scores: of all feedback as of now; nobody is shown again what they know.
        items: the catalogue.
        unavailable: items that nobody is shown.
        boosted: items that come earlier in everybody's list; see `boosting`.
        observed: scores as training has them, for the ranker; all of them when None.
        shown: impressions as of now, for the ranker, where they are logged.
        exploration: how often two items of a list change places.
        online: what the file needs from which requests are answered; none is made without it.
    """

    scores: pl.DataFrame
    items: pl.DataFrame
    unavailable: Collection[str] = ()
    boosted: Collection[str] = ()
    observed: pl.DataFrame | None = None
    shown: pl.DataFrame | None = None
    exploration: Exploration = NO_EXPLORATION
    online: OnlineSettings | None = None


def lists_of(
    lake: Lake, version: ModelVersion, given: ListsInput
) -> tuple[pl.DataFrame, Write | None]:
    """Return a version's lists, and what writes the file of them.

    Raises:
        ModelUnusableError: a file of the version is missing or has changed.
    """
    model = read_recommender(lake, version)
    known = None
    if model.ranker is not None or given.online is not None:
        said = given.scores if given.observed is None else given.observed
        known = history(said, given.items, model.item_ids, shown=given.shown)
    made = make_lists(
        model,
        given.scores,
        given.items,
        model_version=version.version,
        unavailable=given.unavailable,
        boosted=given.boosted,
        known=known,
        has_own_instants=version.parameters.get("split") == "per_user",
        exploration=given.exploration,
    )
    if given.online is None or known is None:
        return made.table, None
    write = partial(
        write_lists,
        model=model,
        made=made,
        known=known,
        scores=given.scores,
        items=given.items,
        settings=given.online,
        model_version=version.version,
        segments=segment_names(lake),
    )
    return made.table, write


def files_of(lake: Lake, versions: Iterable[str], given: ListsInput) -> Mapping[str, Write]:
    """Return what writes the file of each version; the lists are made when it is called.

    A version that cannot be used is left out with a warning: the champion's do not wait for it.
    """
    found: dict[str, Write] = {}
    for version in versions:
        try:
            usable = champions.read_usable(lake, RECOMMENDER, version)
        except ModelUnusableError as error:
            _log.warning("An experiment names a version that has no lists: %s", error)
            continue
        found[version] = partial(_write, lake=lake, version=usable, given=given)
    return found


def _write(path: Path, *, lake: Lake, version: ModelVersion, given: ListsInput) -> None:
    _, write = lists_of(lake, version, given)
    if write is not None:
        write(path)
