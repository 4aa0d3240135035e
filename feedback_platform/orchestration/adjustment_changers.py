"""What trigger rules can change in this product."""

from collections.abc import Callable, Mapping
from datetime import datetime

from feedback_platform.adjustment.rules.changes import (
    CannotChangeError,
    Cause,
    Change,
    Changer,
    FlagChanger,
)
from feedback_platform.adjustment.rules.definition import Action, Kind
from feedback_platform.adjustment.rules.webhook import WebhookChanger
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.changer import ExperimentChanger
from feedback_platform.experiments.installation import InstalledExperiments
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.model_version import ModelUnusableError
from feedback_platform.orchestration.resources import PlatformResource


class ModelChanger:
    """Makes the champion before this one the champion again.

    Args:
        lake: where models are kept.
        clock: returns now (UTC).
    """

    def __init__(self, lake: Lake, clock: Callable[[], datetime]) -> None:
        self._lake = lake
        self._clock = clock

    def plan(self, action: Action) -> Change:
        """Return the champion, and the one before it."""
        model = action.subject
        try:
            planned = champions.planned_rollback(self._lake, model)
        except (InvalidInputError, ModelUnusableError) as error:
            raise CannotChangeError(str(error)) from error
        return Change(action.kind, model, planned.champion, planned.before)

    def make(self, change: Change, cause: Cause) -> None:
        """Roll back."""
        why = f"Rolled back from {change.before} by {cause.who}: {cause.why}"
        self._promote(change.subject, change.before, change.after, why, left=change.before)

    def take_back(self, change: Change, cause: Cause) -> None:
        """Promote what was rolled back from."""
        why = f"Promoted again, {cause.who}: {cause.why}"
        self._promote(change.subject, change.after, change.before, why)

    def _promote(self, model: str, before: str, after: str, why: str, left: str = "") -> None:
        try:
            champions.promote(
                self._lake,
                model,
                after,
                at=self._clock(),
                reason=why,
                left=left,
                instead_of=before,
            )
        except (InvalidInputError, ModelUnusableError) as error:
            raise CannotChangeError(str(error)) from error


def changers(platform: PlatformResource, clock: Callable[[], datetime]) -> Mapping[Kind, Changer]:
    """Return what rules can change, by kind; categories are the ledger's own."""
    receiver = platform.webhook()
    return {
        Kind.FLAG: FlagChanger(platform.flags()),
        Kind.ROLL_BACK_MODEL: ModelChanger(platform.lake(), clock),
        Kind.START_EXPERIMENT: ExperimentChanger(
            InstalledExperiments(platform.lake(), clock), platform.settings.experiments, clock
        ),
        **({Kind.WEBHOOK: WebhookChanger(receiver, clock)} if receiver is not None else {}),
    }
