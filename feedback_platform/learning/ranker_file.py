"""The ranker of a version, in a file of its own: small, so that whoever looks can look into it.

Whether the champion's can be read decides what is served. A version without one is a recommender
whose ensemble orders the lists, as all of earlier releases are.
"""

from __future__ import annotations

from typing import Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion
from feedback_platform.learning.ranker import Ranker

RANKER_FILE: Final = "ranker.npz"


def read_ranker(lake: Lake, version: ModelVersion) -> Ranker | None:
    """Return a version's ranker; None where it has none.

    Raises:
        ModelUnusableError: the file is missing, has changed, or is of a release whose ranker had
            other features.
    """
    if RANKER_FILE not in version.files:
        return None
    content = registry.read_file(lake, version, RANKER_FILE)
    try:
        return Ranker.from_bytes(content)
    except InvalidInputError as error:
        problem = f"its file {RANKER_FILE} is of no use to this release ({error})"
        raise ModelUnusableError(version.model, version.version, problem) from error
