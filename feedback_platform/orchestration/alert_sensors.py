"""When alerts are looked for: after a run that failed, after each batch, and by the clock."""

import logging
from collections.abc import Callable
from typing import Final

import dagster as dg

from feedback_platform.errors import InvalidInputError
from feedback_platform.orchestration.alerting import (
    AT_ANY_TIME,
    LOOKED_FOR,
    failed_runs,
    run_failure,
    tell,
    wrong_by_content,
    wrong_by_time,
)
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.published import published_through

TICK_SECONDS: Final = 30
_LOGGER: Final = logging.getLogger("feedback_platform.alerts")


@dg.run_failure_sensor(
    name="run_failure_sensor",
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of a run that failed; that it is over is told by `alert_sensor`.",
)
def run_failure_sensor(context: dg.RunFailureSensorContext, platform: PlatformResource) -> None:
    """Raise the alert at once, with what the run says itself."""
    run = context.dagster_run
    found = run_failure(context.instance, run.job_name, run.run_id)
    for problem in tell(platform, [found], (), _lines(context.log)):
        context.log.warning(problem)


@dg.sensor(
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of what is wrong and when it is over: failed jobs, stale tables, drift, "
    "arms of experiments that are not as large as they should be, events that are refused.",
)
def alert_sensor(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult:
    """Look for what is wrong; by the tables only when there is another state of them."""
    try:
        rules = platform.monitoring().alerts
    except InvalidInputError as error:
        return dg.SensorResult(skip_reason=dg.SkipReason(str(error)))
    seen = str(published_through(platform.settings.published_path))
    found = [*failed_runs(context.instance), *wrong_by_time(platform, rules)]
    looked_for = AT_ANY_TIME
    if context.cursor != seen:
        found += wrong_by_content(platform, rules)
        looked_for = LOOKED_FOR
    problems = tell(platform, found, looked_for, _lines(context.log))
    for problem in problems:
        context.log.warning(problem)
    told = f"{len(found)} things are wrong." if found else "Nothing is wrong."
    return dg.SensorResult(skip_reason=dg.SkipReason(" ".join([told, *problems])), cursor=seen)


def _lines(log: logging.Logger) -> Callable[[str], None]:
    """Return what writes a line into the log of the tick, and to where the process logs."""

    def write(line: str) -> None:
        log.warning(line)
        _LOGGER.warning(line)

    return write


ALERT_SENSORS: Final = [run_failure_sensor, alert_sensor]
