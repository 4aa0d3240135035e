"""MovieLens (https://grouplens.org/datasets/movielens/): ratings, tags and films as events."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.ingestion.imported import (
    ImportedEvents,
    hashed,
    imported_events,
    json_lines,
)
from feedback_platform.ingestion.tables import Table, read_table

# The films carry no time of their own. They are stated as known from here on, before the first
# rating (9 January 1995); nothing earlier is accepted.
CATALOGUE_AT: Final = datetime(1995, 1, 1, tzinfo=UTC)

_NO_GENRES: Final = "(no genres listed)"
# "Heat (1995)", and for a series "(2006-2007)", also with an en dash: the first year counts.
_YEAR: Final = r"\((\d{4})(?:[\u2013-](?:\d{4})?)?\)\s*$"


def read_movielens(path: Path) -> ImportedEvents:
    """Read a MovieLens directory: `ratings.csv`, `tags.csv` and `movies.csv`.

    Ratings become `item_rated`. Tags become `item_used`, since to tag a film is to work with it,
    without a value, since nobody measured how long that took. Films become `item_updated` with
    title, categories (the genres) and, where the title ends in one, year.

    Raises:
        InvalidInputError: a file is missing or malformed.
    """
    ratings = read_table(path / "ratings.csv", ("userId", "movieId", "rating", "timestamp"))
    tags = read_table(path / "tags.csv", ("userId", "movieId", "tag", "timestamp"))
    movies = read_table(path / "movies.csv", ("movieId", "title", "genres"))
    return imported_events("movielens", [_films(movies), _ratings(ratings), _tags(tags)])


def _films(table: Table) -> pl.DataFrame:
    table.require_unique("movieId")
    film = table.integers("movieId", minimum=1)
    titles = pl.select(
        title=table.texts("title").str.strip_chars(),
        genres=table.texts("genres"),
    ).select(
        "title",
        categories=pl.when(pl.col("genres") == _NO_GENRES)
        .then(pl.lit([], dtype=pl.List(pl.String)))
        .otherwise(pl.col("genres").str.split("|")),
        year=pl.col("title").str.extract(_YEAR).cast(pl.Int64),
    )
    known = ["title", "categories"]
    properties = titles.select(
        pl.when(pl.col("year").is_null())
        .then(pl.struct(known).struct.json_encode())
        .otherwise(pl.struct([*known, "year"]).struct.json_encode())
    ).to_series()
    events = pl.select(
        # A later release that says something else about the film is another update.
        pl.concat_str(
            pl.lit("movielens-film"), film.cast(pl.String), hashed(properties), separator="-"
        ).alias(c.EVENT_ID),
        pl.lit("item_updated").alias(c.EVENT_TYPE),
        pl.concat_str(pl.lit("ml-"), film.cast(pl.String)).alias(c.ITEM_ID),
        pl.lit(CATALOGUE_AT, dtype=pl.Datetime("us", "UTC")).alias(c.OCCURRED_AT),
    )
    return json_lines(events, pl.lit(properties))


def _ratings(table: Table) -> pl.DataFrame:
    stars = EVENT_TYPES["item_rated"].value
    if stars is None or stars.minimum is None or stars.maximum is None:
        raise AssertionError("the contract bounds a rating")
    who = _who_and_what(table, "item_rated", "movielens-rating")
    table.require_unique("userId", "movieId")
    events = who.with_columns(
        table.numbers("rating", minimum=stars.minimum, maximum=stars.maximum).alias(c.VALUE)
    )
    return json_lines(events, pl.lit("{}"))


def _tags(table: Table) -> pl.DataFrame:
    who = _who_and_what(table, "item_used", "movielens-tag")
    tag = table.texts("tag")
    table.require_unique("userId", "movieId", "tag", "timestamp")
    # One user may give one film several tags, and the same tag again years later.
    suffix = pl.concat_str(
        pl.col(c.EVENT_ID),
        hashed(tag),
        pl.col(c.OCCURRED_AT).dt.epoch("s").cast(pl.String),
        separator="-",
    )
    properties = tag.alias("tag").to_frame().select(pl.struct("tag").struct.json_encode())
    return json_lines(who.with_columns(suffix.alias(c.EVENT_ID)), pl.lit(properties.to_series()))


def _who_and_what(table: Table, event_type: str, prefix: str) -> pl.DataFrame:
    """Return the fields that ratings and tags share."""
    user = table.integers("userId", minimum=1).cast(pl.String)
    film = table.integers("movieId", minimum=1).cast(pl.String)
    return pl.select(
        pl.concat_str(pl.lit(prefix), user, film, separator="-").alias(c.EVENT_ID),
        pl.lit(event_type).alias(c.EVENT_TYPE),
        pl.concat_str(pl.lit("ml-"), user).alias(c.USER_ID),
        pl.concat_str(pl.lit("ml-"), film).alias(c.ITEM_ID),
        table.epoch_seconds("timestamp", earliest=CATALOGUE_AT).alias(c.OCCURRED_AT),
    )
