"""Models and what they made, without users who are erased.

What is of one user leaves each version: histories, embeddings, weights between users, segments.
What items and centres learned from all users stays until the next training; no row of it is
anybody's. The champion stays the champion, and is intact at every instant.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import polars as pl

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry
from feedback_platform.learning.columns import USER_ID
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion
from feedback_platform.learning.online.publication import erase_from_lists
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.segment_tables import ASSIGNMENTS_FILE
from feedback_platform.learning.training import (
    MODELS,
    RECOMMENDER,
    RECOMMENDER_FILE,
    SEGMENTS,
)


@dataclass
class ErasedModels:
    """What a pass over the models did.

    Attributes:
        looked_at: versions, the lists, and the files that requests for lists are answered from.
        rewritten: those that changed, or were given up because they knew nobody else.
        removed: rows of users, each once in each version and file, and rows of lists.
    """

    looked_at: int = 0
    rewritten: int = 0
    removed: int = 0


def erase_from_models(lake: Lake, users: Collection[str], *, before: int) -> ErasedModels:
    """Take users out of every version, out of the newest lists, and out of their files.

    Args:
        lake: where they are kept.
        users: by the ids that the layers have for them.
        before: the batch that marks the erasure; what was trained on tables with it may know who
            came back.
    """
    outcome = ErasedModels()
    for name in MODELS:
        for version_id in registry.version_ids(lake, name):
            try:
                version = registry.read_version(lake, name, version_id)
            except ModelUnusableError:
                _give_up_unreadable(lake, name, version_id, outcome)
                continue
            through = version.lineage.data_through
            if through is None or through < before:
                outcome.looked_at += 1
                _erase(lake, version, users, outcome)
    _erase_lists(lake, users, outcome)
    looked_at, rewritten, removed = erase_from_lists(lake, users)
    outcome.looked_at += looked_at
    outcome.rewritten += rewritten
    outcome.removed += removed
    return outcome


def _erase(
    lake: Lake, version: ModelVersion, users: Collection[str], outcome: ErasedModels
) -> None:
    file = _PERSONAL[version.model]
    try:
        content = registry.read_file(lake, version, file)
    except ModelUnusableError:
        _give_up(lake, version)
        outcome.rewritten += 1
        return
    if version.model == SEGMENTS:
        table = pl.read_parquet(io.BytesIO(content))
        left = table.filter(~pl.col(USER_ID).is_in(list(users)))
        gone, data = table.height - left.height, _parquet(left)
    else:
        model = Recommender.from_bytes(content)
        known = model.known_users & frozenset(users)
        if known and len(known) == len(model.user_ids):
            # A model of nobody cannot be; readers get the champion before it, or what is popular.
            _give_up(lake, version)
            outcome.rewritten += 1
            outcome.removed += len(known)
            return
        gone = len(known)
        data = model.without_users(users).to_bytes() if gone else content
    if gone or version.replacing:
        registry.replace_files(lake, version, {file: data})
        outcome.rewritten += 1
        outcome.removed += gone


def _erase_lists(lake: Lake, users: Collection[str], outcome: ErasedModels) -> None:
    content = lake.find(keys.recommendations())
    if content is None:
        return
    outcome.looked_at += 1
    lists = pl.read_parquet(io.BytesIO(content))
    left = lists.filter(~pl.col(USER_ID).is_in(list(users)))
    if left.height < lists.height:
        lake.put(keys.recommendations(), _parquet(left), mode="overwrite")
        outcome.rewritten += 1
        outcome.removed += lists.height - left.height


def _give_up(lake: Lake, version: ModelVersion) -> None:
    champions.forget(lake, version.model, version.version)
    registry.withdraw(lake, version)


def _give_up_unreadable(lake: Lake, name: str, version: str, outcome: ErasedModels) -> None:
    """Delete a version that nobody can use and of which nobody can tell whom it knows."""
    outcome.looked_at += 1
    outcome.rewritten += 1
    champions.forget(lake, name, version)
    prefix = f"{keys.model_versions(name)}/{version}"
    lake.delete(lake.list_keys(prefix))


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


# The file of each model that holds rows of users.
_PERSONAL: Final = {RECOMMENDER: RECOMMENDER_FILE, SEGMENTS: ASSIGNMENTS_FILE}
