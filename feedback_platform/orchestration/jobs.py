"""The jobs: what runs together. Steps share one process, because starting one costs seconds."""

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

from feedback_platform.orchestration import keys

PROCESS: Final = "process"
REPROCESS: Final = "reprocess"
REPLAY: Final = "replay_quarantine"
TRAIN: Final = "train"
PUBLISH_MODELS: Final = "publish_models"
UNDO: Final = "undo_adjustment"
EXPERIMENT: Final = "experiment"
REFIT: Final = "refit_reference"
ERASE: Final = "erase"
QUALITY: Final = "quality"
MEASURE: Final = "measure"
PRIORITY_TAG: Final = "dagster/priority"
NAMES: Final = (
    PROCESS, REPROCESS, REPLAY, TRAIN, PUBLISH_MODELS, UNDO, REFIT, ERASE, QUALITY, MEASURE,
    EXPERIMENT,
)  # fmt: skip

# Who goes first where runs or steps wait: what is live, then what somebody asked for, then what
# takes its time. A backfill has none, so everything goes before it. Runs that go at the same time
# share the processor by it, too: see launching/run_process.py.
PRIORITIES: Final = {
    PROCESS: 40,
    ERASE: 30,
    UNDO: 30,
    PUBLISH_MODELS: 30,
    EXPERIMENT: 30,
    TRAIN: 20,
    REPLAY: 10,
    REFIT: 10,
    MEASURE: 10,
    QUALITY: 10,
    REPROCESS: 0,
}

# Measured over all that is published, which costs what is stored: at night, and by no micro-batch.
_MEASURED_TABLES = dg.AssetSelection.assets(
    keys.SIGNAL_QUALITY, keys.SIGNAL_WEIGHTS, keys.LOOP_HEALTH
)
_FRESHNESS = dg.AssetSelection.assets(keys.LAYER_FRESHNESS)
_MEASURED = _MEASURED_TABLES | dg.AssetSelection.key_prefixes(["measured"])
_LAYERS = (
    dg.AssetSelection.key_prefixes(
        ["interaction"], ["feedback"], ["features"], ["metrics"], ["clean"], ["quarantine"]
    )
    - _MEASURED_TABLES
)
_PUBLISHED = dg.AssetSelection.assets(keys.PUBLISHED)
_LEARNED = dg.AssetSelection.key_prefixes(["models"], ["ml"])
# What is told by segment, or of the versions in use.
_BY_MODEL = dg.AssetSelection.assets(
    keys.ENGAGEMENT_DAYS, keys.ENGAGEMENT_DAILY, keys.CONVERSION_DAILY, keys.BEFORE_AFTER
)


def build_jobs() -> list[Any]:
    """Return every job, not yet resolved to its assets; Dagster keeps that type to itself."""
    return [
        _job(
            PROCESS,
            _LAYERS | _PUBLISHED,
            "Everything that has landed, through all layers, to the published tables.",
        ),
        _job(
            REPROCESS,
            dg.AssetSelection.assets(keys.REPROCESSED),
            "Backfill: clean past days again from raw. Choose the days under Materialize; the next "
            "micro-batch takes them in.",
        ),
        _job(
            REPLAY,
            _LAYERS | _PUBLISHED,
            "Take everything that lies in quarantine again, after the contract or the mapping was "
            "corrected, and rebuild the layers; what is not corrected stays there. In the "
            "launchpad, replay_reason, replay_source, replay_from and replay_to (YYYY-MM-DD) of "
            "ops.clean_events.config narrow it down.",
            config={"ops": {"clean_events": {"config": {"replay": True}}}},
        ),
        _job(
            TRAIN,
            _LEARNED | _BY_MODEL | _MEASURED | _FRESHNESS | _PUBLISHED,
            "Retrain, evaluate, promote, segment, recommend, measure the signals and the loop, "
            "publish.",
        ),
        _job(
            MEASURE,
            _MEASURED | _PUBLISHED,
            "Measure what each signal says of the days to come, what weights speak for, and the "
            "health of the loop; every training does so, too.",
        ),
        _job(
            PUBLISH_MODELS,
            dg.AssetSelection.assets(keys.LISTS)
            | dg.AssetSelection.key_prefixes(["ml"])
            | _BY_MODEL
            | _PUBLISHED,
            "Make recommendations and segments anew from the models in use, without training. In "
            "the launchpad, ops.models__lists.config promotes a version first (model, promote, "
            "reason), or goes back to the champion before this one (model, roll_back, reason).",
        ),
        _job(
            UNDO,
            dg.AssetSelection.assets(keys.ADJUSTMENTS) | _PUBLISHED,
            "Take back what a trigger rule did. In the launchpad, ops.metrics__adjustments.config "
            "says which (undo, the adjustment_id) and why (reason).",
        ),
        _job(
            EXPERIMENT,
            dg.AssetSelection.assets(
                keys.EXPERIMENTS, keys.EXPERIMENT_RESULTS, keys.EXPERIMENT_LOOKS
            )
            | _PUBLISHED,
            "Start or stop an experiment. In the launchpad, ops.experiments.config says which: "
            "start, a name in the file of FEEDBACK_EXPERIMENTS, or stop (and ship, a variant; "
            "override, why although its figures do not say so), and why (reason).",
        ),
        _job(
            REFIT,
            dg.AssetSelection.assets(keys.REFERENCE),
            "Fit the reference statistics of cleaning on the newest weeks.",
        ),
        _job(
            ERASE,
            dg.AssetSelection.assets(keys.ERASURES, keys.ERASURE_REPORTS) | _LAYERS | _PUBLISHED,
            "Carry out the pending requests to erase users, through every layer, and prove it. "
            "Whom they name stands in the lake alone.",
        ),
        dg.define_asset_job(
            QUALITY,
            selection=dg.AssetSelection.all_asset_checks(),
            executor_def=dg.in_process_executor,
            description="Every check: dbt tests, Great Expectations, counts that must add up.",
            tags=_tags(QUALITY),
        ),
    ]


def _job(
    name: str,
    selection: dg.AssetSelection,
    description: str,
    config: Mapping[str, Any] | None = None,
) -> Any:
    return dg.define_asset_job(
        name,
        selection=selection.without_checks(),
        executor_def=dg.in_process_executor,
        description=description,
        config=config,
        tags=_tags(name),
    )


def _tags(name: str) -> dict[str, str]:
    return {PRIORITY_TAG: str(PRIORITIES[name])}
