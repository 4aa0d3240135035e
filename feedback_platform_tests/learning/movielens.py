"""MovieLens as the frames that learning reads."""

from __future__ import annotations

from pathlib import Path

import polars as pl


def movielens_frames(shared_data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ratings as scores, 0.5 to 5 stars on 0 to 1, and movies with their genres."""
    source = shared_data / "ml-latest-small"
    scores = pl.read_csv(source / "ratings.csv").select(
        pl.col("userId").cast(pl.String).alias("user_id"),
        pl.col("movieId").cast(pl.String).alias("item_id"),
        ((pl.col("rating") - 0.5) / 4.5).alias("feedback_score"),
        pl.lit(1.0).alias("confidence"),
        pl.from_epoch(pl.col("timestamp") * 1_000_000, time_unit="us")
        .dt.replace_time_zone("UTC")
        .alias("last_feedback_at"),
    )
    items = pl.read_csv(source / "movies.csv").select(
        pl.col("movieId").cast(pl.String).alias("item_id"),
        "title",
        pl.col("genres").str.split("|").alias("categories"),
    )
    return scores, items
