"""Raw objects become clean rows and quarantined lines; reference statistics are fitted apart."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from feedback_platform.cleaning.processing import refit_reference
from feedback_platform.cleaning.quarantine import QuarantineFilter
from feedback_platform.cleaning.task import CleaningTask
from feedback_platform.errors import InvalidInputError
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.spark_driver import cleaned

raw_events = dg.AssetSpec(
    keys.RAW_EVENTS,
    group_name=keys.COLLECT,
    owners=keys.OWNERS,
    kinds={"json"},
    description="Events as they were received: immutable, by hour, one object per write.",
)


class CleaningConfig(dg.Config):
    """What to clean; the default is what is new.

    Attributes:
        sweep: look for new objects in all of the lake, not only in the newest hours.
        portion: of a backlog take no more than a portion, and leave the rest to runs to come. The
            sensor and the nightly sweep ask for it, so that nobody who waits for the pool
            `warehouse` waits for all of a backlog. Where an engine builds every table anew, all
            of it is taken: each portion would cost another build of everything.
        replay: clean again what holds quarantined events, after the contract or the mapping was
            corrected; with the rules and statistics that it was cleaned with before. The job
            `replay_quarantine` sets it; each of the following does, too.
        replay_reason, replay_source: only those with this reason, from this source.
        replay_from, replay_to: only those received on these UTC days.
    """

    sweep: bool = False
    portion: bool = False
    replay: bool = False
    replay_reason: str = ""
    replay_source: str = ""
    replay_from: str = ""
    replay_to: str = ""

    @property
    def is_replay(self) -> bool:
        """Whether the quarantine is to be taken again."""
        narrowing = (self.replay_reason, self.replay_source, self.replay_from, self.replay_to)
        return self.replay or any(narrowing)

    def task(self, *, has_increments: bool = True) -> CleaningTask:
        """Return what to clean, for a warehouse that takes in what is new, or builds all anew."""
        return CleaningTask(
            is_sweep=self.sweep,
            is_portion=self.portion and has_increments,
            replayed=self.replayed() if self.is_replay else None,
        )

    def replayed(self) -> QuarantineFilter:
        """Return which quarantined rows are meant."""
        return QuarantineFilter(
            reason=self.replay_reason or None,
            source=self.replay_source or None,
            first=_day(self.replay_from, "replay_from") if self.replay_from else None,
            last=_day(self.replay_to, "replay_to") if self.replay_to else None,
        )


@dg.multi_asset(
    name="clean_events",
    pool=keys.WAREHOUSE_POOL,
    retry_policy=RETRIES,
    specs=[
        dg.AssetSpec(
            keys.CLEAN_EVENTS,
            deps=[keys.RAW_EVENTS, keys.REFERENCE, keys.ERASURES],
            group_name=keys.CLEAN,
            owners=keys.OWNERS,
            kinds={"polars", "parquet"},
            description=(
                "Canonical events, checked, deduplicated, on the platform's clock; gaps filled, "
                "outliers flagged, values normalised. To clean a past period again, materialise "
                "days of reprocessed/events."
            ),
        ),
        dg.AssetSpec(
            keys.QUARANTINED_EVENTS,
            deps=[keys.RAW_EVENTS, keys.ERASURES],
            group_name=keys.CLEAN,
            owners=keys.OWNERS,
            kinds={"polars", "parquet"},
            description="Lines that the contract refuses, with reason, field and bytes.",
        ),
    ],
)
def clean_events(
    context: dg.AssetExecutionContext, config: CleaningConfig, platform: PlatformResource
) -> Iterator[dg.MaterializeResult]:
    """Clean one micro-batch."""
    task = config.task(has_increments=platform.settings.warehouse == "duckdb")
    with reported_failures():
        yield from cleaned(context, platform, task)


@dg.asset(
    key=keys.REFERENCE,
    deps=[keys.RAW_EVENTS],
    group_name=keys.CLEAN,
    owners=keys.OWNERS,
    kinds={"polars"},
    retry_policy=RETRIES,
    description=(
        "What is usual for each signal and device: medians, quartiles, means, bounds. Fitted on "
        "the newest four weeks, versioned, in effect for what is received afterwards."
    ),
)
def reference_statistics(platform: PlatformResource) -> dg.MaterializeResult:
    """Fit a new version of the statistics that cleaning applies."""
    with reported_failures():
        reference = refit_reference(
            platform.lake(), platform.rules(), now=platform.now(), mapping=platform.mapping()
        )
    table = [
        dg.TableRecord(
            {
                "signal": entry.signal,
                "device": entry.device,
                "count": entry.count,
                "median": entry.median,
                "mean": entry.mean,
                "deviation": entry.deviation,
                "median deviation": entry.median_deviation,
            }
        )
        for entry in reference.statistics
    ]
    return dg.MaterializeResult(
        metadata={
            "version": reference.version,
            "events": reference.rows,
            "received from": str(reference.window_from),
            "received to": str(reference.window_to),
            "statistics": dg.MetadataValue.table(table) if table else "none",
        }
    )


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{name} is {text!r}; give a day as YYYY-MM-DD.") from error
