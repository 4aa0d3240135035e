"""What has to be in order before models learn.

A model that learned from impossible data stays in use for a day; one that waits is a day older. So
training waits, and nothing else does.
"""

from typing import Final

import dagster as dg

from feedback_platform.errors import PermanentError
from feedback_platform.orchestration import keys

BEFORE_TRAINING: Final = (
    dg.AssetCheckKey(keys.CLEAN_EVENTS, "clean_expectations"),
    dg.AssetCheckKey(keys.USER_FEEDBACK, "feedback_expectations"),
)
# Runs that are under way, or died, have no outcome yet; the newest outcome is behind them.
_LOOKED_AT: Final = 20


class UnfitDataError(PermanentError):
    """The newest check of what models learn from says that it must not be used."""


def refuse_unfit_data(instance: dg.DagsterInstance) -> None:
    """Let nothing be learned from data whose newest check failed as an error.

    The models in use stay in use. A warning, or a check that has never run, refuses nothing.

    Raises:
        UnfitDataError: a check of `BEFORE_TRAINING` failed.
    """
    for key in BEFORE_TRAINING:
        history = instance.event_log_storage.get_asset_check_execution_history(key, _LOOKED_AT)
        outcomes = [record.evaluation for record in history if record.evaluation is not None]
        if not outcomes or outcomes[0].passed:
            continue
        if outcomes[0].severity == dg.AssetCheckSeverity.ERROR:
            raise UnfitDataError(
                f"Nothing was learned: the check {key.name} of {key.asset_key.to_user_string()} "
                f"says that the data must not be used: {outcomes[0].description}. "
                "The models in use stay. Correct the data, run the job `quality`, and train again."
            )
