"""When the newest event happened, by the tables: the time by which what they hold is judged.

A sender may claim any time, and a device's clock may be ahead; nothing happens after it was
received. dbt has the same in its macro `newest_event`, and finds it without reading every event.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import polars as pl

NEWEST_EVENT: Final = """
    select least(max(occurred_at), max(received_at)) as newest from interaction.interactions
"""


def newest_event(query: Callable[[str, list[Any]], pl.DataFrame]) -> datetime | None:
    """Return when the newest event happened (UTC); None where there is none.

    Args:
        query: runs SQL over the tables with parameters.
    """
    newest: datetime | None = query(NEWEST_EVENT, [])["newest"].item()
    return newest
