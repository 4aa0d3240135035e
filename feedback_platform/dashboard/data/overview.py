"""The overview: how large everything is, and how it goes."""

from __future__ import annotations

import polars as pl

from feedback_platform.dashboard.snapshot import Snapshot
from feedback_platform.dashboard.tables import Table

_SIZES = Table("published.tables", ("table", "rows"))
_STATE = Table("published.state", ("through", "published_at"))


def sizes(snapshot: Snapshot) -> dict[str, int]:
    """Return the rows of each published table, as the publication counted them."""
    return dict(snapshot.rows(_SIZES, 'select "table", rows from published.tables').iter_rows())


def state(snapshot: Snapshot) -> pl.DataFrame:
    """Return one row: the newest batch that is published, and when it was."""
    return snapshot.rows(_STATE, "select through, published_at from published.state")
