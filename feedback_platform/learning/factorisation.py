"""Matrix factorisation with LightFM: who likes what, from feedback and from what is known.

Users and items are described by their identity and, beside it, by attributes and categories
(Kula, 2015, "Metadata embeddings for user and item cold-start recommendations"). The loss is WARP
(Weston et al., 2011), unless told otherwise: it draws items until one outranks a liked item, and
learns more from it the fewer draws that took, which optimises the top of the list. BPR (Rendle et
al., 2009) draws one item and learns from the pair, which optimises the whole list.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from feedback_platform.errors import InvalidInputError, NothingToLearnError, PermanentError
from feedback_platform.learning.arrays import ArrayReader, pack
from feedback_platform.learning.columns import (
    ATTRIBUTES,
    CATEGORIES,
    CONFIDENCE,
    FEEDBACK_SCORE,
    ITEM_ID,
    USER_ID,
)
from feedback_platform.learning.popularity import fit_popularity
from feedback_platform.learning.ranking import Scores, kept_rows, pair_matrix
from feedback_platform.learning.training_data import (
    POSITIVE_THRESHOLD,
    checked_items,
    checked_scores,
    checked_users,
    positives,
)

Loss = Literal["warp", "bpr"]

_MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class FactorisationParameters:
    """How to train.

    The defaults are a compromise between two inner time splits, of the training part of
    MovieLens (610 users, 9,742 items) and of a small product's (2,000 users, 96 items): what is
    best for the first, 64 components and 30 epochs, is worse than popularity in the second.

    Attributes:
        components: length of an embedding.
        epochs: passes over the positives.
        learning_rate: initial step of Adagrad.
        max_sampled: draws of a wrongly ranked item before a positive is passed over.
        feature_weight: weight of an item's categories (a user's attributes) together, beside 1 for
            its identity; 0 leaves them out.
        loss: `warp` or `bpr`.
        threads: 1 gives the same model for the same seed. With more, LightFM's threads update
            shared embeddings without locks (Hogwild), and the result depends on their race.
        most_steps: passes times positives at most; with very many positives there are fewer passes,
            one at least. A million steps take 3.7 s of processor time, and each embedding is met
            more often in a pass, the more feedback there is on it.
    """

    components: int = 32
    epochs: int = 15
    learning_rate: float = 0.03
    max_sampled: int = 50
    feature_weight: float = 3.0
    threads: int = 1
    loss: Loss = "warp"
    most_steps: int = 25_000_000

    def __post_init__(self) -> None:
        if self.loss not in get_args(Loss):
            raise InvalidInputError(f"The factorisation's loss cannot be {self.loss!r}.")
        for name, value in asdict(self).items():
            if name == "loss":
                continue
            is_valid = value >= 0 if name == "feature_weight" else value > 0
            if not is_valid:
                raise InvalidInputError(f"The factorisation's {name} cannot be {value}.")


@dataclass(frozen=True, eq=False)
class Factorisation:
    """A trained model as plain arrays; serving it needs no LightFM.

    Attributes:
        user_ids: users with positive feedback, sorted.
        item_ids: items of the catalogue, sorted.
        user_embeddings: (users x components), features already summed up.
        user_biases: (users,).
        item_embeddings: (items x components).
        item_biases: (items,).
        item_popularity: (items,), confidence-weighted positives; for users the model has not met.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    user_embeddings: NDArray[np.float32]
    user_biases: NDArray[np.float32]
    item_embeddings: NDArray[np.float32]
    item_biases: NDArray[np.float32]
    item_popularity: NDArray[np.float32]

    @cached_property
    def user_rows(self) -> dict[str, int]:
        """Row of each user."""
        return {user_id: row for row, user_id in enumerate(self.user_ids)}

    @cached_property
    def item_rows(self) -> dict[str, int]:
        """Row of each item."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    def scores(self, user_ids: Sequence[str]) -> Scores:
        """Return the score of every item for each user, (users x items).

        Scores order one user's items; they are no probabilities and do not compare across users.
        A user the model has not met gets the mean user's scores.
        """
        rows = np.array([self.user_rows.get(user_id, -1) for user_id in user_ids], dtype=np.int64)
        is_known = (rows >= 0)[:, None]
        embeddings = np.where(is_known, self.user_embeddings[rows], self.user_embeddings.mean(0))
        biases = np.where(is_known, self.user_biases[rows, None], self.user_biases.mean())
        scores: Scores = embeddings @ self.item_embeddings.T + self.item_biases + biases
        return scores

    def without_users(self, user_ids: Collection[str]) -> Factorisation:
        """Return the model without the embeddings of some users."""
        kept = kept_rows(self.user_ids, user_ids)
        return replace(
            self,
            user_ids=tuple(self.user_ids[row] for row in kept),
            user_embeddings=self.user_embeddings[kept],
            user_biases=self.user_biases[kept],
        )

    def to_bytes(self) -> bytes:
        """Return the model as a `.npz` archive without pickles."""
        arrays = {
            "user_embeddings": self.user_embeddings,
            "user_biases": self.user_biases,
            "item_embeddings": self.item_embeddings,
            "item_biases": self.item_biases,
            "item_popularity": self.item_popularity,
        }
        return pack(arrays, {"user_ids": self.user_ids, "item_ids": self.item_ids})

    @classmethod
    def from_bytes(cls, data: bytes) -> Factorisation:
        """Return the model that `to_bytes` wrote.

        Raises:
            InvalidInputError: the bytes are damaged, or their parts do not fit together.
        """
        reader = ArrayReader(data, "factorisation")
        user_ids, item_ids = reader.texts("user_ids"), reader.texts("item_ids")
        if not user_ids or not item_ids:
            raise InvalidInputError("The factorisation has no users or no items.")
        _, components = reader.matrix_shape("item_embeddings")
        return cls(
            user_ids=user_ids,
            item_ids=item_ids,
            user_embeddings=reader.floats("user_embeddings", (len(user_ids), components)),
            user_biases=reader.floats("user_biases", (len(user_ids),)),
            item_embeddings=reader.floats("item_embeddings", (len(item_ids), components)),
            item_biases=reader.floats("item_biases", (len(item_ids),)),
            item_popularity=reader.floats("item_popularity", (len(item_ids),)),
        )


def fit_factorisation(
    scores: pl.DataFrame,
    items: pl.DataFrame,
    users: pl.DataFrame,
    *,
    parameters: FactorisationParameters,
    seed: int,
    threshold: float = POSITIVE_THRESHOLD,
) -> Factorisation:
    """Train on the positive scores, each weighted by confidence x score.

    The order of the frames' rows makes no difference.

    Args:
        scores: user x item scores (`training_data.SCORES_SCHEMA`).
        items: the catalogue (`ITEMS_SCHEMA`); items that have only scores are added.
        users: what is known of users (`USERS_SCHEMA`).
        parameters: how to train.
        seed: of the initial embeddings and of sampling.
        threshold: a score from here on is positive.

    Raises:
        InvalidInputError: a frame is malformed, or the parameters made the training diverge.
        NothingToLearnError: no score is positive with any confidence, or there is only one item.
    """
    scores, items, users = checked_scores(scores), checked_items(items), checked_users(users)
    liked = positives(scores, threshold).with_columns(
        (pl.col(CONFIDENCE) * pl.col(FEEDBACK_SCORE)).alias("weight")
    )
    liked = liked.filter(pl.col("weight") > 0)
    user_ids = liked[USER_ID].unique().sort().to_list()
    item_ids = pl.concat([items[ITEM_ID], scores[ITEM_ID]]).unique().sort().to_list()
    items_to_rank = 2
    if not user_ids or len(item_ids) < items_to_rank:
        raise NothingToLearnError(
            f"{liked.height} of {scores.height} scores are {threshold} or better with any "
            f"confidence, over {len(item_ids)} items; there is no preference to learn yet."
        )
    # A mean weight of 1 keeps the learning rate's meaning, whatever the confidences are.
    liked = liked.with_columns(pl.col("weight") / pl.col("weight").mean())
    weights = pair_matrix(liked, user_ids, item_ids, values="weight").tocoo()
    item_features = _features(items, ITEM_ID, CATEGORIES, item_ids, parameters.feature_weight)
    user_features = _features(users, USER_ID, ATTRIBUTES, user_ids, parameters.feature_weight)
    model = _new_model(parameters, seed)
    positive = sparse.coo_matrix(
        (np.ones(weights.nnz, np.float32), (weights.row, weights.col)), shape=weights.shape
    )
    try:
        model.fit(
            positive,
            user_features=user_features,
            item_features=item_features,
            # LightFM compares the coordinates of both matrices one by one.
            sample_weight=sparse.coo_matrix(weights),
            epochs=min(parameters.epochs, max(1, parameters.most_steps // positive.nnz)),
            num_threads=parameters.threads,
        )
    except ValueError as error:
        raise InvalidInputError(f"LightFM gave up with {parameters}: {error}") from error
    item_biases, item_embeddings = model.get_item_representations(item_features)
    user_biases, user_embeddings = model.get_user_representations(user_features)
    return Factorisation(
        user_ids=tuple(user_ids),
        item_ids=tuple(item_ids),
        user_embeddings=np.ascontiguousarray(user_embeddings, dtype=np.float32),
        user_biases=np.asarray(user_biases, dtype=np.float32),
        item_embeddings=np.ascontiguousarray(item_embeddings, dtype=np.float32),
        item_biases=np.asarray(item_biases, dtype=np.float32),
        item_popularity=fit_popularity(scores, item_ids=item_ids, threshold=threshold).weights,
    )


def _features(
    described: pl.DataFrame, key: str, labels: str, ids: Sequence[str], weight: float
) -> sparse.csr_matrix[Any]:
    """Return identity beside labels; a row's labels sum to the weight, however many there are."""
    identity = sparse.identity(len(ids), dtype=np.float32, format="csr")
    pairs = (
        described.select(key, pl.col(labels).list.unique().alias("label"))
        .filter(pl.col("label").list.len() > 0)
        .with_columns((weight / pl.col("label").list.len()).alias("share"))
        .explode("label")
        .drop_nulls()
    )
    if pairs.is_empty() or weight == 0:
        return identity
    renamed = pairs.select(
        pl.col(key).alias(USER_ID), pl.col("label").alias(ITEM_ID), pl.col("share")
    )
    vocabulary = renamed[ITEM_ID].unique().sort().to_list()
    labelled = pair_matrix(renamed, ids, vocabulary, values="share")
    return sparse.csr_matrix(sparse.hstack([identity, labelled], format="csr", dtype=np.float32))


def _new_model(parameters: FactorisationParameters, seed: int) -> Any:
    try:
        # Loaded here: only training needs the compiled module, serving does not.
        from lightfm import LightFM  # noqa: PLC0415
    except ImportError as error:
        raise PermanentError(
            "The module lightfm is not installed. It is compiled while it installs, which needs a "
            "C compiler: install gcc or clang, then `pip install rectools-lightfm`."
        ) from error
    return LightFM(
        no_components=parameters.components,
        loss=parameters.loss,
        learning_rate=parameters.learning_rate,
        max_sampled=parameters.max_sampled,
        random_state=seed % _MAX_SEED,
    )
