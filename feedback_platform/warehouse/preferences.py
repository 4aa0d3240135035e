"""Who takes part by what they allow: parts of queries over `interaction.user_preferences`.

They are of the present, whatever time a query is about: who switches something off today takes no
part in what is computed from their past either.
"""

from __future__ import annotations

from typing import Final

import duckdb

from feedback_platform.warehouse.connection import single_row

# After `from` a relation with user_id: the rows of those who did not switch personalisation off.
PERSONALISED: Final = """
    anti join (
        select user_id from interaction.user_preferences where not personalisation
    ) as opted_out using (user_id)
"""
# After `from` feedback: what counts. The scores are made by the same, dbt's `counted_feedback`.
COUNTED: Final = f"""
    {PERSONALISED}
    anti join (
        select user_id, unnest(signals_off) as signal from interaction.user_preferences
    ) as switched_off using (user_id, signal)
"""  # noqa: S608 - the constant above
# By the hash of the users: to compare the texts of all rows would cost what is stored.
_WITHHELD: Final = """
    with switched_off as (
        select user_id, user_id_hash, personalisation, signals_off
        from interaction.user_preferences
        where not personalisation or len(signals_off) > 0
    )

    select count(*)
    from feedback.user_feedback as given
    inner join switched_off using (user_id)
    where
        given.rowid in (
            select rowid from feedback.user_feedback
            where user_id_hash in (select user_id_hash from switched_off)
        )
        and (not personalisation or list_contains(signals_off, signal))
"""


def withheld_feedback(warehouse: duckdb.DuckDBPyConnection) -> int:
    """Return how much of the stored feedback does not count."""
    (count,) = single_row(warehouse, _WITHHELD)
    return int(count)
