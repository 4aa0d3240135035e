"""Running the jobs at times that somebody else says: weeks of a platform's life in minutes.

What the sensors and schedules of a server would start is run here when it is asked for: the same
jobs, in this process, by a clock that need not be that of this machine. The runs are recorded in
memory: nobody looks at a hundred of them in the UI.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import dagster as dg

from feedback_platform.clock import Clock
from feedback_platform.learning.exploration import Exploration
from feedback_platform.learning.learned_tables import Training, learn_recommender
from feedback_platform.orchestration.assets.learning import training_frames
from feedback_platform.orchestration.jobs import PROCESS, PUBLISH_MODELS, TRAIN
from feedback_platform.orchestration.progress import PROGRESS_LOGGER
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.runs import RunFailedError, failure_of
from feedback_platform.orchestration.schedules import training_config
from feedback_platform.orchestration.sensors import drift_sensor
from feedback_platform.settings import Settings

# The name of the resource.
PLATFORM: Final = "platform"
_PUSHED: Final = "push"


def platform_by(clock: Clock, settings: Settings) -> PlatformResource:
    """Return an installation on which it is whatever time a clock (UTC) says."""

    class VirtualPlatform(PlatformResource):
        """Dagster makes it anew for each run, of its settings alone: the clock is in its class."""

        def now(self) -> datetime:
            """Return what the clock says."""
            return clock()

    return VirtualPlatform.from_settings(settings)


class VirtualRuns:
    """Runs jobs of one installation, one after another."""

    def __init__(
        self,
        definitions: dg.Definitions,
        platform: PlatformResource,
        instance: dg.DagsterInstance,
    ) -> None:
        self._definitions = definitions
        self._platform = platform
        self._instance = instance
        self._answered: set[str] = set()

    def process(self) -> None:
        """Bring everything that has landed through to the published tables."""
        self._run(PROCESS, {})

    def train(self, trigger: str) -> None:
        """Retrain, evaluate, promote or reject, segment, recommend, publish."""
        self._run(TRAIN, training_config(trigger))

    def answer_drift(self) -> bool:
        """Run the trainings that the drift sensor asks for, each once, as Dagster does."""
        context = dg.build_sensor_context(
            instance=self._instance, resources={PLATFORM: self._platform}
        )
        asked = drift_sensor(context)
        requests = asked.run_requests or [] if isinstance(asked, dg.SensorResult) else []
        new = [each for each in requests if each.run_key not in self._answered]
        for each in new:
            self._answered.add(str(each.run_key))
            self._run(each.job_name or TRAIN, each.run_config)
        return bool(new)

    def push(self, train: Training) -> str:
        """Let the gate judge a model that somebody else makes; return its version."""
        platform = self._platform
        learned = learn_recommender(
            platform.lake(),
            training_frames(platform),
            now=platform.now(),
            trigger=_PUSHED,
            rules=platform.models_gate(),
            exploration=Exploration(platform.settings.exploration_share),
            train=train,
        )
        self._run(PUBLISH_MODELS, {})
        return learned.version.version

    def _run(self, job: str, config: Mapping[str, Any]) -> None:
        result = self._definitions.resolve_job_def(job).execute_in_process(
            run_config={**config, "loggers": {PROGRESS_LOGGER: {}}},
            instance=self._instance,
            raise_on_error=False,
        )
        if not result.success:
            raise RunFailedError(failure_of(result))


@contextmanager
def virtual_runs(definitions: dg.Definitions, platform: PlatformResource) -> Iterator[VirtualRuns]:
    """Run jobs until the end of the block.

    Args:
        definitions: made with this platform.
        platform: of `platform_by`.
    """
    with dg.DagsterInstance.ephemeral() as instance:
        yield VirtualRuns(definitions, platform, instance)
