"""Alternating least squares on Spark, for more feedback than one machine can factorise in time.

The loss is that of `als`, and Spark's own implementation (`pyspark.ml.recommendation.ALS`) solves
the rows in its executors. Two things differ: the regularisation of a row is λ times its number of
positives (Zhou et al., 2008, "Large-scale parallel collaborative filtering for the Netflix Prize"),
and numbers have four bytes. Sums are made in whichever order the executors are done, so two runs
agree to a few digits and not to the last bit.

The driver holds the names and the factors, as serving does; the feedback stays with the executors.

Each iteration is computed from the one before, and a task carries all that it is computed from.
After some ten iterations that is deeper than a thread's stack: an executor ends itself then, and on
one machine all of Spark with it. So the items' factors are written down every second iteration.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError, NothingToLearnError
from feedback_platform.learning.columns import CONFIDENCE, FEEDBACK_SCORE, ITEM_ID, USER_ID
from feedback_platform.learning.factorisation import Factorisation
from feedback_platform.learning.ranking import numbered
from feedback_platform.learning.training_data import POSITIVE_THRESHOLD
from feedback_platform.spark_session import SparkUnavailableError

_ITEMS_TO_RANK: Final = 2
# With half of the usual stack, ten iterations fail without checkpoints and forty pass with these;
# they cost less than can be told from one run to the next.
_ITERATIONS_BETWEEN_CHECKPOINTS: Final = 2


@dataclass(frozen=True)
class SparkAlsParameters:
    """How to train.

    Attributes:
        components: length of an embedding.
        regularisation: λ, weight of the squared length of an embedding for each of its positives.
        confidence: a, what a positive of mean weight adds to the confidence of 1.
        iterations: how often each side is solved.
        blocks: into how many parts users and items are divided.
    """

    components: int = 32
    regularisation: float = 0.1
    confidence: float = 5.0
    iterations: int = 10
    blocks: int = 10

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0:
                raise InvalidInputError(f"Spark's least squares' {name} cannot be {value}.")


def fit_spark_als(
    scores: Any,
    catalogue: Sequence[str] = (),
    *,
    parameters: SparkAlsParameters,
    seed: int,
    threshold: float = POSITIVE_THRESHOLD,
) -> Factorisation:
    """Factorise the positive scores; what comes out is stored and served like any factorisation.

    Args:
        scores: a Spark frame with user_id, item_id, feedback_score and confidence, a row for each
            user and item.
        catalogue: items to rank beside those that have a score; what nobody likes has no embedding.
        parameters: how to train.
        seed: of the initial embeddings.
        threshold: a score from here on is positive.

    Raises:
        NothingToLearnError: no score is positive with any confidence, or there is only one item.
        SparkUnavailableError: a cluster has no directory for checkpoints.
    """
    # PySpark is an extra.
    from pyspark.ml.recommendation import ALS  # noqa: PLC0415
    from pyspark.sql import functions as f  # noqa: PLC0415

    weight = f.col(CONFIDENCE) * f.col(FEEDBACK_SCORE)
    session = scores.sparkSession
    with ExitStack() as stack:
        stack.enter_context(_checkpoints(session.sparkContext))
        positive = (
            scores.filter((f.col(FEEDBACK_SCORE) >= threshold) & (weight > 0))
            .select(USER_ID, ITEM_ID, weight.alias("weight"))
            .persist()
        )
        stack.callback(positive.unpersist)
        user_ids = _names(positive.select(USER_ID).distinct())
        item_ids = sorted({*catalogue, *_names(scores.select(ITEM_ID).distinct())})
        if not user_ids or len(item_ids) < _ITEMS_TO_RANK:
            raise NothingToLearnError(
                f"No score is {threshold} or better with any confidence, or there are fewer than "
                f"{_ITEMS_TO_RANK} items ({len(item_ids)}); there is no preference to learn yet."
            )
        mean = positive.agg(f.mean("weight")).first()[0]
        users, items = (
            session.createDataFrame(numbered(name, ids, number).to_arrow())
            for name, ids, number in ((USER_ID, user_ids, "user"), (ITEM_ID, item_ids, "item"))
        )
        pairs = positive.join(users, USER_ID).join(items, ITEM_ID)
        als = ALS(
            rank=parameters.components,
            regParam=parameters.regularisation,
            alpha=parameters.confidence,
            maxIter=parameters.iterations,
            numUserBlocks=parameters.blocks,
            numItemBlocks=parameters.blocks,
            implicitPrefs=True,
            userCol="user",
            itemCol="item",
            ratingCol="weight",
            seed=seed,
            checkpointInterval=_ITERATIONS_BETWEEN_CHECKPOINTS,
        )
        weighted = pairs.select(
            "user", "item", (f.col("weight") / mean).cast("float").alias("weight")
        )
        fitted = als.fit(weighted)
        of_users = _embeddings(fitted.userFactors, len(user_ids), parameters.components)
        of_items = _embeddings(fitted.itemFactors, len(item_ids), parameters.components)
        liked = pl.from_arrow(positive.groupBy(ITEM_ID).agg(f.sum("weight").alias("w")).toArrow())
    popularity = pl.DataFrame({ITEM_ID: item_ids}).join(
        pl.DataFrame(liked), on=ITEM_ID, how="left", maintain_order="left"
    )
    return Factorisation(
        user_ids=tuple(user_ids),
        item_ids=tuple(item_ids),
        user_embeddings=of_users,
        user_biases=np.zeros(len(of_users), dtype=np.float32),
        item_embeddings=of_items,
        item_biases=np.zeros(len(of_items), dtype=np.float32),
        item_popularity=(popularity["w"].fill_null(0) / mean).cast(pl.Float32).to_numpy(),
    )


@contextmanager
def _checkpoints(context: Any) -> Iterator[None]:
    """Give Spark a directory for checkpoints, where its configuration names none.

    Raises:
        SparkUnavailableError: it is a cluster, whose executors do not see this machine's files.
    """
    if context.getConf().get("spark.checkpoint.dir"):
        yield
    elif context.master.startswith("local"):
        # After an interrupt executors may still write into it.
        with tempfile.TemporaryDirectory(
            prefix="feedback-platform-als-", ignore_cleanup_errors=True
        ) as directory:
            # Hadoop takes the text as it is: what a URL would escape is a part of the name to it.
            context.setCheckpointDir(f"file://{directory}")
            yield
    else:
        raise SparkUnavailableError(
            "Factorising on a cluster needs a directory that driver and executors reach: name one "
            "(hdfs://…, s3a://…) by spark.checkpoint.dir, in spark-defaults.conf or with --conf."
        )


def _names(frame: Any) -> list[str]:
    """Return the only column of a Spark frame, sorted as Python sorts."""
    names: list[str] = sorted(frame.toArrow().column(0).to_pylist())
    return names


def _embeddings(factors: Any, rows: int, components: int) -> NDArray[np.float32]:
    """Return factors in the order of their ids; 0 for a row that has none."""
    found = pl.DataFrame(pl.from_arrow(factors.toArrow()))
    embeddings = np.zeros((rows, components), dtype=np.float32)
    embeddings[found["id"].to_numpy()] = np.array(found["features"].to_list(), dtype=np.float32)
    return embeddings
