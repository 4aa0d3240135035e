"""Whom the definition of an experiment gives to which arm, whether they met it or not.

Beside the exposed users it tells how many of those who came never got to where the variants differ.
A segment is known for every user; what else a condition asks for only a request knows, so where an
audience asks for more, nobody is counted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from feedback_platform.adjustment.flags.definition import SEGMENT, SEGMENT_ID
from feedback_platform.experiments.assignment import Absence, CompiledExperiment, Participant
from feedback_platform.experiments.entries import Started
from feedback_platform.experiments.tables import Tables, naive
from feedback_platform.taking_part import TAKES_PART

_CAME: Final = f"""
    with came as (
        select distinct user_id from interaction.interactions
        where
            user_id is not null
            and not (is_bot or is_burst)
            and occurred_at >= $1::timestamp
            and occurred_at <= $2::timestamp
    )

    select user_id, segments.segment_id, profiles.name as segment
    from came
    left join ml.user_segments as segments using (user_id)
    left join ml.segment_profiles as profiles using (segment_id)
    where {TAKES_PART}
"""  # noqa: S608 - put together from what stands in this file
_KNOWN: Final = frozenset({SEGMENT, SEGMENT_ID})


def assigned_users(tables: Tables, started: Started, until: datetime) -> dict[str, int]:
    """Return variant → users who came in the experiment's time and are assigned to it.

    Args:
        tables: of the layers.
        started: the experiment.
        until: the end of its time (UTC).

    Returns:
        Nothing where its audience asks for what the tables do not know.
    """
    experiment = started.experiment
    if not {each.attribute for each in experiment.audience} <= _KNOWN:
        return {}
    compiled = CompiledExperiment(experiment, started.holdout)
    assigned = dict.fromkeys(experiment.variants, 0)
    came = tables.query(_CAME, [naive(started.at), naive(until)])
    for user_id, segment_id, segment in came.iter_rows():
        attributes = {SEGMENT_ID: segment_id, SEGMENT: segment}
        variant = compiled.assign(Participant(user_id, attributes))
        if not isinstance(variant, Absence):
            assigned[variant] += 1
    return assigned
