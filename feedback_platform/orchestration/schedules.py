"""What happens by the clock (UTC). All of it is on from the start."""

import dagster as dg

from feedback_platform.orchestration import jobs
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.published import published_through

_ON = dg.DefaultScheduleStatus.RUNNING


def build_schedules() -> list[dg.ScheduleDefinition]:
    """Return every schedule."""
    return [
        dg.ScheduleDefinition(
            name="nightly_sweep",
            job_name=jobs.PROCESS,
            cron_schedule="30 1 * * *",
            run_config=portion_config(sweep=True),
            default_status=_ON,
            description="Finds raw objects that landed too late for the listing of new hours.",
        ),
        dg.ScheduleDefinition(
            name="nightly_erasure",
            job_name=jobs.ERASE,
            cron_schedule="30 0 * * *",
            default_status=_ON,
            description="Sweeps out of raw what erased users sent late, and retries requests.",
        ),
        dg.ScheduleDefinition(
            name="nightly_training",
            job_name=jobs.TRAIN,
            cron_schedule="0 3 * * *",
            run_config=training_config("schedule"),
            default_status=_ON,
            description="Retrains on the day's feedback.",
        ),
        dg.ScheduleDefinition(
            name="weekly_refit",
            job_name=jobs.REFIT,
            cron_schedule="0 2 * * 1",
            default_status=_ON,
            description="Fits the reference statistics of cleaning on the newest weeks.",
        ),
        hourly_quality,
    ]


@dg.schedule(
    job_name=jobs.QUALITY,
    cron_schedule="20 * * * *",
    default_status=_ON,
    description="Runs every check.",
)
def hourly_quality(platform: PlatformResource) -> dg.RunRequest | dg.SkipReason:
    """Ask for the checks once there is something to check; before, some of them could but fail."""
    if published_through(platform.settings.published_path) == 0:
        return dg.SkipReason("Nothing is published yet.")
    return dg.RunRequest()


def portion_config(**cleaning: object) -> dict[str, object]:
    """Return the run configuration of a micro-batch that leaves a long backlog to further ones."""
    taking_in = {"portion": True}
    return {
        "ops": {
            "clean_events": {"config": {**cleaning, **taking_in}},
            "dbt_models": {"config": taking_in},
        }
    }


def training_config(trigger: str) -> dict[str, object]:
    """Return the run configuration of a training with a stated reason."""
    config = {"config": {"trigger": trigger}}
    return {"ops": {"models__recommender": config, "models__segments": config}}
