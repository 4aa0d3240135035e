"""A champion that a person chooses, from the command line or the launchpad."""

from datetime import datetime

import dagster as dg

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.freezes import refuse_while_frozen
from feedback_platform.learning.training import MODELS, RECOMMENDER


class ChampionConfig(dg.Config):
    """Which version is to be the champion; as it is, nothing is asked for.

    Attributes:
        model: `recommender` or `segments`.
        promote: the version to promote.
        roll_back: go back to the champion before this one.
        roll_back_from: go back only while this version is the champion, so that it happens once.
        reason: why; shown beside the version.
    """

    model: str = RECOMMENDER
    promote: str = ""
    roll_back: bool = False
    roll_back_from: str = ""
    reason: str = ""


def choose_champion(lake: Lake, config: ChampionConfig, *, request: str, now: datetime) -> None:
    """Promote or roll back, if it was asked for.

    Args:
        lake: where models are kept.
        config: what was asked for.
        request: the run, the same when it is tried again.
        now: when (UTC).

    Raises:
        InvalidInputError: the choice means nothing, leads nowhere, or promotion is frozen.
        ModelUnusableError: a file of the chosen version is missing or has changed.
    """
    is_rollback = config.roll_back or bool(config.roll_back_from)
    if not config.promote and not is_rollback:
        return
    if config.promote and is_rollback:
        raise InvalidInputError("Fill in promote or roll_back, not both.")
    if config.model not in MODELS:
        raise InvalidInputError(
            f"There is no model {config.model!r}; the models are {' and '.join(MODELS)}."
        )
    reason = config.reason.strip()
    if not reason:
        raise InvalidInputError("Say why, in reason: it is shown beside the version.")
    if is_rollback:
        champions.roll_back(
            lake,
            config.model,
            at=now,
            reason=reason,
            leaving=config.roll_back_from,
            request=request,
        )
    else:
        refuse_while_frozen(lake, config.model, config.promote, now)
        champions.promote(lake, config.model, config.promote, at=now, reason=reason)
