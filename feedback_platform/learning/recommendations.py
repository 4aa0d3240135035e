"""The best unseen items of every user, each with a reason that the user can follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl

from feedback_platform.learning.columns import (
    ITEM_ID,
    MODEL_VERSION,
    RANK,
    REASON,
    SCORE,
    TITLE,
    USER_ID,
)
from feedback_platform.learning.factorisation import Factorisation
from feedback_platform.learning.popularity import Popularity
from feedback_platform.learning.ranking import (
    PairMatrix,
    Ranked,
    Scores,
    blocks,
    pair_matrix,
    top_items,
)
from feedback_platform.learning.training_data import POSITIVE_THRESHOLD, checked_scores, positives

LIST_LENGTH: Final = 20
POPULAR: Final = "Popular with everybody"
RECOMMENDATIONS_SCHEMA: Final = {
    USER_ID: pl.String(),
    RANK: pl.Int32(),
    ITEM_ID: pl.String(),
    SCORE: pl.Float64(),
    MODEL_VERSION: pl.String(),
    REASON: pl.String(),
}


def recommend(
    model: Factorisation,
    scores: pl.DataFrame,
    items: pl.DataFrame,
    *,
    model_version: str,
    user_ids: Sequence[str] | None = None,
    n: int = LIST_LENGTH,
    threshold: float = POSITIVE_THRESHOLD,
) -> pl.DataFrame:
    """Return the n best items of each user that the user has given no feedback on, of any kind.

    A user the model knows gets its ranking, and as reason the user's own positively scored item
    whose embedding is nearest by cosine. Any other user gets what is popular; so does one who was
    there at training but of whom no positive score is left now. The score orders one user's list:
    of a known user it is the model's, of others the popularity.

    Args:
        model: the champion.
        scores: all user x item scores as of now (`training_data.SCORES_SCHEMA`).
        items: item_id and title (`ITEMS_SCHEMA`); an item without a title is named by its id.
        model_version: written into every row.
        user_ids: who gets a list; everybody with a score when left out.
        n: length of a list; shorter where fewer unseen (or popular) items are left.
        threshold: a score from here on is positive.

    Returns:
        The columns of `RECOMMENDATIONS_SCHEMA`, sorted by user and rank; ranks count from 1
        without gaps.

    Raises:
        InvalidInputError: the scores frame is malformed.
    """
    scores = checked_scores(scores)
    wanted = scores[USER_ID].unique().to_list() if user_ids is None else user_ids
    liked = positives(scores, threshold).filter(pl.col(ITEM_ID).is_in(model.item_ids))
    liking = set(liked[USER_ID])
    known = sorted(user for user in set(wanted) if user in model.user_rows and user in liking)
    cold = sorted(set(wanted).difference(known))
    parts = [
        _listed(known[block], *_personal(model, scores, liked, known[block], n), model)
        for block in blocks(len(known), len(model.item_ids))
    ]
    parts += [
        _listed(cold[block], *_popular(model, scores, cold[block], n), model)
        for block in blocks(len(cold), len(model.item_ids))
    ]
    titles = items.select(ITEM_ID, TITLE).rename({ITEM_ID: "because"})
    schema = {**RECOMMENDATIONS_SCHEMA, "because": pl.String()}
    del schema[MODEL_VERSION], schema[REASON]
    listed = pl.concat([pl.DataFrame(schema=schema), *parts])
    name = pl.coalesce(TITLE, "because")
    return (
        listed.join(titles, on="because", how="left")
        .with_columns(
            pl.lit(model_version).alias(MODEL_VERSION),
            pl.when(pl.col("because").is_null())
            .then(pl.lit(POPULAR))
            .otherwise(pl.format("Because you liked {}", name))
            .alias(REASON),
        )
        .select(*RECOMMENDATIONS_SCHEMA)
        .sort(USER_ID, RANK)
    )


def _personal(
    model: Factorisation, scores: pl.DataFrame, liked: pl.DataFrame, users: Sequence[str], n: int
) -> tuple[Ranked, Scores, Ranked]:
    """Return items, scores and reasons (users x n) of users the model knows."""
    matrix = model.scores(users)
    ranked = top_items(matrix, pair_matrix(scores, users, model.item_ids), n)
    reasons = _nearest_liked(model, ranked, pair_matrix(liked, users, model.item_ids))
    return ranked, np.take_along_axis(matrix, np.maximum(ranked, 0), axis=1), reasons


def _popular(
    model: Factorisation, scores: pl.DataFrame, users: Sequence[str], n: int
) -> tuple[Ranked, Scores, Ranked]:
    """Return items, scores and no reasons (users x n) of users the model has not met."""
    popularity = Popularity(model.item_ids, model.item_popularity)
    matrix = popularity.scores(users)
    ranked = top_items(matrix, pair_matrix(scores, users, model.item_ids), n)
    weights = np.take_along_axis(matrix, np.maximum(ranked, 0), axis=1)
    # What nobody likes is not popular; these come last, so ranks stay without gaps.
    return np.where(weights > 0, ranked, -1), weights, np.full_like(ranked, -1)


def _nearest_liked(model: Factorisation, ranked: Ranked, liked: PairMatrix) -> Ranked:
    """Return for each listed item the liked item of the user with the most similar embedding.

    Of equally near ones it is the first by id. Every user likes at least one item.
    """
    lengths = np.linalg.norm(model.item_embeddings, axis=1, keepdims=True)
    directions = model.item_embeddings / np.where(lengths > 0, lengths, 1)
    nearest = np.empty_like(ranked)
    for row, own in enumerate(_rows(liked)):
        # The user's own few items only: cheaper than comparing all items with all.
        nearest[row] = own[(directions[ranked[row]] @ directions[own].T).argmax(axis=1)]
    return nearest


def _rows(matrix: PairMatrix) -> Iterator[np.ndarray[tuple[int], np.dtype[np.int32]]]:
    for start, end in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        yield matrix.indices[start:end]


def _listed(
    users: Sequence[str], ranked: Ranked, scores: Scores, reasons: Ranked, model: Factorisation
) -> pl.DataFrame:
    """Return the lists as rows; `because` is the item of the reason, null where there is none."""
    rows, places = np.nonzero(ranked >= 0)
    names = pl.Series([*model.item_ids, None], dtype=pl.String)
    reason = reasons[rows, places]
    return pl.DataFrame(
        {
            USER_ID: pl.Series(users, dtype=pl.String).gather(rows),
            RANK: pl.Series(places + 1, dtype=pl.Int32),
            ITEM_ID: names.gather(ranked[rows, places]),
            SCORE: pl.Series(scores[rows, places], dtype=pl.Float64),
            "because": names.gather(np.where(reason >= 0, reason, len(model.item_ids))),
        }
    )
