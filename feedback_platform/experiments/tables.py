"""What the analysis needs of the tables, whichever database holds them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Protocol

import polars as pl

# The users of the experiment that is read, see `exposure`.
EXPOSED: Final = "exposed_users"


class Tables(Protocol):
    """The tables of the layers, and one of its own that a reader may keep meanwhile."""

    def query(self, sql: str, parameters: list[Any]) -> pl.DataFrame:
        """Return the rows of a query; times in parameters are naive UTC, those of rows have it."""
        ...

    def keep(self, name: str, sql: str, parameters: list[Any]) -> None:
        """Keep the rows of a query under a name, in the place of those kept before."""
        ...


def naive(time: datetime) -> datetime:
    """Return a time as the tables have it: UTC, without saying so."""
    return time.astimezone(UTC).replace(tzinfo=None)
