"""Who met which variant of an experiment, and since when.

To be assigned is not to be exposed: who never came to where the variants differ says nothing about
them. So users count from their first `experiment_exposed` event on, which has to be no later than
what it showed them: what is before it is taken for their past. Who met two variants is in
none, since nobody can say which of them did what; how many these are tells whether assignment is
sticky. Who switched off personalisation or research, by their latest word, is in none either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from feedback_platform.experiments.definition import Experiment
from feedback_platform.experiments.tables import EXPOSED, Tables, naive
from feedback_platform.taking_part import TAKES_PART

# Whose variant nobody can tell: they met two, or one that the definition does not have.
_MIXED: Final = "mixed"
_UNKNOWN: Final = "unknown"
_OPTED_OUT: Final = "opted_out"

_MET: Final = f"""
    with met as (
        select
            user_id,
            min(variant) as variant,
            min(variant) <> max(variant) as is_mixed,
            min(occurred_at) as exposed_at
        from interaction.interactions
        where
            event_type = 'experiment_exposed'
            and experiment_id = $1
            and user_id is not null
            and variant is not null
            and not (is_bot or is_burst)
            and occurred_at >= $2::timestamp
            and occurred_at <= $3::timestamp
        group by user_id
    )

    select
        user_id,
        variant,
        exposed_at,
        case
            when not ({TAKES_PART}) then '{_OPTED_OUT}'
            when is_mixed then '{_MIXED}'
            when not list_contains($4::varchar[], variant) then '{_UNKNOWN}'
        end as excluded
    from met
"""  # noqa: S608 - put together from what stands in this file
_COUNTED: Final = f"""
    select variant, excluded, count(*) as users from {EXPOSED} group by all
"""  # noqa: S608


@dataclass(frozen=True)
class Exposure:
    """How many users met an experiment.

    Attributes:
        users: variant → users who count.
        mixed: users who met several variants, and are in none.
        unknown: users who met a variant that the definition does not have.
        opted_out: users who switched off personalisation or research.
    """

    users: Mapping[str, int]
    mixed: int = 0
    unknown: int = 0
    opted_out: int = 0


def keep_exposed(
    tables: Tables, experiment: Experiment, since: datetime, until: datetime
) -> Exposure:
    """Keep the exposed users under `EXPOSED`, and return how many they are.

    Args:
        tables: of the layers.
        experiment: which.
        since, until: between which exposures count, both taken in (UTC).
    """
    between = [naive(since), naive(until)]
    tables.keep(EXPOSED, _MET, [experiment.key, *between, list(experiment.variants)])
    counted = tables.query(_COUNTED, [])
    users = dict.fromkeys(experiment.variants, 0)
    excluded = dict.fromkeys((_MIXED, _UNKNOWN, _OPTED_OUT), 0)
    for variant, why, number in counted.select("variant", "excluded", "users").iter_rows():
        if why is None:
            users[variant] += number
        else:
            excluded[why] += number
    return Exposure(users, **excluded)
