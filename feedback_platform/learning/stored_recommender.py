"""Reading back the recommender of a version."""

from __future__ import annotations

from dataclasses import replace

from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.model_version import ModelVersion
from feedback_platform.learning.ranker_file import read_ranker
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.training import RECOMMENDER_FILE


def read_recommender(lake: Lake, version: ModelVersion) -> Recommender:
    """Return a version's recommender, with its ranker where it has one.

    Raises:
        ModelUnusableError: a file is missing, has changed, or its ranker is of another release.
        InvalidInputError: the files do not fit together.
    """
    content = registry.read_file(lake, version, RECOMMENDER_FILE)
    return replace(Recommender.from_bytes(content), ranker=read_ranker(lake, version))
