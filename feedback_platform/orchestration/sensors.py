"""What happens because something did: new raw objects, drift, enough feedback to learn from."""

import hashlib
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
import polars as pl

from feedback_platform.lake import keys as lake_keys
from feedback_platform.lake.batches import latest_manifest, pending_objects
from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.model_version import ModelUnusableError
from feedback_platform.learning.training import RECOMMENDER
from feedback_platform.orchestration import jobs
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.runs import UNFINISHED, end_dead_runs
from feedback_platform.orchestration.schedules import portion_config, training_config
from feedback_platform.privacy.requests import stuck_requests
from feedback_platform.warehouse.published import published_through

_NEWEST_DRIFT: Final = """
    select event_id, stream from metrics.drift_events
    where list_contains(string_split(action, ', '), 'retrain')
    order by detected_at desc, stream, event_id
    limit 1
"""

# What changes the lists that everybody is shown.
_OF_RULES: Final = """
    select adjustment_id, status, coalesce(undone_at, "at") as changed_at
    from metrics.adjustments
    where action in ('hide_category', 'boost_category', 'roll_back_model')
"""
_OF_EXPERIMENTS: Final = """
    select experiment_id as adjustment_id, shipped as status, stopped_at as changed_at
    from metrics.experiments
    where lever = 'model' and shipped is not null
"""
# What an earlier release published has no experiments.
_HAS_EXPERIMENTS: Final = """
    select 1 from published.tables where "table" = 'metrics.experiments'
"""

_FEEDBACK: Final = "select count(*) as rows from feedback.user_feedback"
_FEEDBACK_SINCE: Final = """
    select
        (select rows from published.tables where "table" = 'feedback.user_feedback') as given,
        (select count(*) from feedback.user_feedback where batch_sequence > ?) as is_new
"""

TICK_SECONDS: Final = 5
# The daemon goes round every five seconds, and not by the millisecond: of a sensor that wants five
# seconds between its ticks it leaves out every other one.
_EVERY_ROUND: Final = 1
# The daemon begins a tick every five seconds. One that looks until shortly before the next sees
# what lands, and the end of a run, within half a second.
WATCH_SECONDS: Final = 4.5
# Looking costs milliseconds in a directory, and a request that is paid for in an object store.
_LOOK_SECONDS: Final = 0.5
_DEAR_LOOK_SECONDS: Final = 2.25
FIRST_WAIT: Final = timedelta(seconds=10)
LONGEST_WAIT: Final = timedelta(minutes=10)
# Below this much feedback a first model would say nothing that popularity does not.
FIRST_TRAINING_FEEDBACK: Final = 1_000
# A young product doubles in days; one that has grown gains a fifth in weeks, and has its nights.
GROWTH: Final = 0.2
# One that grows by a fifth every minute would never do anything but train: after a training there
# is none for growth for so many times as long as it took.
REST: Final = 9


@dg.sensor(
    job_name=jobs.PROCESS,
    minimum_interval_seconds=_EVERY_ROUND,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts one run for what is new in the lake, or for a portion of a backlog.",
)
def micro_batch_sensor(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run when raw objects are not clean, or clean rows not published.

    Where the platform says so, it goes on looking for a while before it says that there is nothing.
    """
    until = time.monotonic() + platform.watch_seconds
    pause = _LOOK_SECONDS if platform.lake_url.startswith("file:") else _DEAR_LOOK_SECONDS
    while True:
        found = _asked_for(context, platform)
        if isinstance(found, dg.SensorResult) or time.monotonic() + pause > until:
            return found
        time.sleep(pause)


@dg.sensor(
    job_name=jobs.TRAIN,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a retraining for each change that drift detection found.",
)
def drift_sensor(platform: PlatformResource) -> dg.SensorResult | dg.SkipReason:
    """Ask for one training run per drift event.

    The event is read where training reads its data: once it is published, so is what changed.
    """
    if published_through(platform.settings.published_path) == 0:
        return dg.SkipReason("Nothing is published yet.")
    # One retraining answers all changes that were found together. Dagster remembers the key.
    wanted = platform.query_once(_NEWEST_DRIFT)
    if wanted.is_empty():
        return dg.SkipReason("No drift.")
    newest = wanted.row(0, named=True)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"drift-{newest['event_id']}",
                run_config=training_config("drift"),
                tags={"drift_event": newest["event_id"], "drift_stream": newest["stream"]},
            )
        ]
    )


@dg.sensor(
    job_name=jobs.TRAIN,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Trains the first models once there is feedback to learn from.",
)
def first_training_sensor(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a training run while no model has ever been trained."""
    if registry.version_ids(platform.lake(), RECOMMENDER):
        return dg.SkipReason("There are models; growth, drift and the schedule see to them.")
    if published_through(platform.settings.published_path) == 0:
        return dg.SkipReason("Nothing is published yet.")
    given = platform.query_once(_FEEDBACK)["rows"].item()
    if given < FIRST_TRAINING_FEEDBACK:
        return dg.SkipReason(f"{given} of {FIRST_TRAINING_FEEDBACK} pieces of feedback so far.")
    if _is_unfinished(context.instance, jobs.TRAIN):
        return dg.SkipReason("A training is under way.")
    # One attempt for each doubling of the feedback: what cannot be trained now may be later.
    attempt = (int(given) // FIRST_TRAINING_FEEDBACK).bit_length()
    # Attempts of an earlier release, at a model of another name, do not count.
    key = f"first-{RECOMMENDER}-{attempt}"
    if _was_canceled(context.instance):
        key += f"-{_newest_run(context.instance, jobs.TRAIN)}"
    request = dg.RunRequest(run_key=key, run_config=training_config("initial"))
    return dg.SensorResult(run_requests=[request])


@dg.sensor(
    job_name=jobs.TRAIN,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Retrains once there is a fifth more feedback than the newest model knows, "
    "for a tenth of the time at most.",
)
def growth_sensor(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for one training after each version that much has come after, promoted or not."""
    lake, through = platform.lake(), published_through(platform.settings.published_path)
    trained = registry.version_ids(lake, RECOMMENDER)
    if not trained or through == 0:
        return dg.SkipReason("There is no model yet, or nothing is published.")
    seen = f"{trained[-1]}:{through}"
    if context.cursor == seen:
        return dg.SkipReason("Nothing was published since.")
    known = _known_through(lake, trained[-1])
    if known is None:
        return dg.SkipReason("The newest model does not say what it knows; the nightly one will.")
    found = platform.query(_FEEDBACK_SINCE, [known]).row(0, named=True)
    needed = math.ceil(GROWTH * (found["given"] - found["is_new"]))
    if found["is_new"] < max(needed, 1):
        reason = f"{found['is_new']} of {needed} new pieces of feedback so far."
        return dg.SensorResult(skip_reason=dg.SkipReason(reason), cursor=seen)
    if too_soon := _why_not_yet(context.instance):
        return dg.SkipReason(too_soon)
    # A training that fails is not asked for again; the nightly one follows.
    request = dg.RunRequest(run_key=f"growth-{trained[-1]}", run_config=training_config("growth"))
    return dg.SensorResult(run_requests=[request], cursor=seen)


@dg.sensor(
    job_name=jobs.PUBLISH_MODELS,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes the lists anew when a trigger rule changed what they are made of.",
)
def adjusted_lists_sensor(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for new lists for each adjustment of a category or a model, and its undoing."""
    if published_through(platform.settings.published_path) == 0:
        return dg.SkipReason("Nothing is published yet.")
    # One run takes all changes in that were made together.
    found = platform.query_once(_OF_RULES)
    if not platform.query_once(_HAS_EXPERIMENTS).is_empty():
        found = pl.concat([found, platform.query_once(_OF_EXPERIMENTS)])
    if found.is_empty():
        return dg.SkipReason("No rule has changed the lists.")
    ordered = found.sort("changed_at", "adjustment_id", descending=[True, False])
    newest = ordered.row(0, named=True)
    tags = {"adjustment": f"{newest['adjustment_id']}-{newest['status']}"}
    if _has_succeeded(context.instance, jobs.PUBLISH_MODELS, tags):
        return dg.SkipReason("The lists know what rules changed.")
    if _is_unfinished(context.instance, jobs.PUBLISH_MODELS):
        return dg.SkipReason("A run is under way.")
    failures, wait = _patience(context.instance, jobs.PUBLISH_MODELS)
    if wait > timedelta(0):
        return dg.SkipReason(
            f"The last {failures} runs failed; the next attempt is in {wait.total_seconds():.0f} s."
        )
    # A key is remembered for ever, and a run that failed has to be followed by another.
    key = f"adjusted-{tags['adjustment']}-{_newest_run(context.instance, jobs.PUBLISH_MODELS)}"
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key, tags=tags)])


@dg.sensor(
    job_name=jobs.ERASE,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Carries out the requests to erase users, all that are pending in one run.",
)
def erasure_sensor(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run while a request is pending. Neither the key nor a tag names a user."""
    lake = platform.lake()
    pending = lake.list_keys(lake_keys.ERASURE_REQUESTS)
    if not pending:
        return dg.SkipReason("Nobody asks to be erased.")
    if stuck_requests(lake).keys.issuperset(pending):
        return dg.SkipReason(
            f"{len(pending)} requests are pending: the last proof found ids in places that its "
            "error names. Correct those, then run `feedback-platform erase`; the job of the night "
            "tries, too."
        )
    if _is_unfinished(context.instance, jobs.ERASE):
        return dg.SkipReason("A run is under way.")
    failures, wait = _patience(context.instance, jobs.ERASE)
    if wait > timedelta(0):
        return dg.SkipReason(
            f"The last {failures} runs failed; the next attempt is in {wait.total_seconds():.0f} s."
        )
    content = f"{_newest_run(context.instance, jobs.ERASE)}:{','.join(pending)}"
    key = hashlib.sha256(content.encode()).hexdigest()[:32]
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key)])


def _asked_for(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Say whether it is time for a micro-batch.

    Whether one is under way is asked first: what that one cleans is not new, and by the time of the
    listing it has either said so or is still there. So nobody asks for a run without work, and of
    a long backlog nothing is listed in vain.
    """
    if _is_unfinished(context.instance, jobs.PROCESS):
        return dg.SkipReason("A run is under way; it is followed by one for what is new then.")
    lake = platform.lake()
    announced = lake.list_keys(lake_keys.BACKFILLS)
    pending = pending_objects(lake)
    latest = latest_manifest(lake)
    cleaned = latest.sequence if latest else 0
    behind = cleaned - published_through(platform.settings.published_path)
    if not pending and behind == 0:
        # Of a run that died after its last batch, or of an import of what was there. As long as
        # they stand, every listing is one of the whole lake.
        lake.delete(announced)
        return dg.SkipReason("Nothing new in the lake.")
    failures, wait = _patience(context.instance, jobs.PROCESS)
    if wait > timedelta(0):
        return dg.SkipReason(
            f"The last {failures} runs failed; the next attempt is in {wait.total_seconds():.0f} s."
        )
    # A key is remembered for ever, so it names the content and the run that went before.
    content = (
        f"{cleaned}:{behind}:{_newest_run(context.instance, jobs.PROCESS)}:{','.join(pending)}"
    )
    key = hashlib.sha256(content.encode()).hexdigest()[:32]
    # Where the process of one is killed, the next tick asks for another; Dagster need not, too.
    tags = {"new_objects": str(len(pending)), "dagster/max_retries": "0"}
    request = dg.RunRequest(run_key=key, run_config=portion_config(), tags=tags)
    return dg.SensorResult(run_requests=[request])


def _known_through(lake: Lake, version: str) -> int | None:
    """Return the newest batch that a version knows; None where its record does not say."""
    try:
        return registry.read_version(lake, RECOMMENDER, version).lineage.data_through
    except ModelUnusableError:
        return None


def _is_unfinished(instance: dg.DagsterInstance, job: str) -> bool:
    end_dead_runs(instance)
    filters = dg.RunsFilter(job_name=job, statuses=UNFINISHED)
    return bool(instance.get_runs(filters=filters, limit=1))


def _newest_run(instance: dg.DagsterInstance, job: str) -> str:
    runs = instance.get_runs(filters=dg.RunsFilter(job_name=job), limit=1)
    return runs[0].run_id if runs else "none"


def _has_succeeded(instance: dg.DagsterInstance, job: str, tags: dict[str, str]) -> bool:
    filters = dg.RunsFilter(job_name=job, tags=tags, statuses=[dg.DagsterRunStatus.SUCCESS])
    return bool(instance.get_runs(filters=filters, limit=1))


def _was_canceled(instance: dg.DagsterInstance) -> bool:
    runs = instance.get_runs(filters=dg.RunsFilter(job_name=jobs.TRAIN), limit=1)
    return bool(runs) and runs[0].status == dg.DagsterRunStatus.CANCELED


def _why_not_yet(instance: dg.DagsterInstance) -> str | None:
    """Say why there is to be no training for growth now, or nothing."""
    if _is_unfinished(instance, jobs.TRAIN):
        return "A training is under way."
    filters = dg.RunsFilter(job_name=jobs.TRAIN, statuses=[dg.DagsterRunStatus.SUCCESS])
    for record in instance.get_run_records(filters, limit=1):
        if record.start_time is not None and record.end_time is not None:
            over = record.end_time + REST * (record.end_time - record.start_time)
            seconds = over - datetime.now(UTC).timestamp()
            if seconds > 0:
                return f"The last training was long: the next for growth is due in {seconds:.0f} s."
    return None


def _patience(instance: dg.DagsterInstance, job: str) -> tuple[int, timedelta]:
    """Return how many runs failed in a row, and how long to wait until the next attempt."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job), limit=10)
    failures = 0
    for record in records:
        if record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
            break
        failures += 1
    if failures == 0 or records[0].end_time is None:
        return failures, timedelta(0)
    wait = min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
    ended = datetime.fromtimestamp(records[0].end_time, UTC)
    return failures, ended + wait - datetime.now(UTC)


SENSORS: Final = [
    micro_batch_sensor,
    drift_sensor,
    first_training_sensor,
    growth_sensor,
    adjusted_lists_sensor,
    erasure_sensor,
]
