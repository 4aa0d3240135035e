"""Cleaning, wherever its driver runs: in the run itself, or as a job that reports through Pipes.

Such a job is a process of this machine, or one of EMR Serverless. Either runs
`feedback_platform.spark_jobs.cleaning`; its materialisations, its log and its failures are the
run's.
"""

import sys
from collections.abc import Sequence
from typing import Any, Final

import dagster as dg

from feedback_platform.cleaning.kept_rules import keep_rules
from feedback_platform.cleaning.task import CleaningTask, carry_out
from feedback_platform.events.translation.mapping import mapping_text
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.spark_reports import ReportReader
from feedback_platform.spark_jobs.order import CleaningOrder

_JOB: Final = "feedback_platform.spark_jobs.cleaning"


def cleaned(
    context: dg.AssetExecutionContext, platform: PlatformResource, task: CleaningTask
) -> Sequence[Any]:
    """Carry out a task where the settings say; return what was materialised.

    Raises:
        PermanentError: a person has to act.
        TransientError: another attempt may succeed; it goes on with what is not clean yet.
    """
    settings = platform.settings
    if settings.spark_driver != "in-run":
        return _by_job(context, platform, task)
    made = carry_out(
        task,
        platform.lake(),
        platform.rules(),
        mapping=platform.mapping(),
        engine=platform.cleaning_engine(),
        log=context.log,
    )
    return [
        dg.MaterializeResult(asset_key=dg.AssetKey.from_user_string(asset), metadata=metadata)
        for asset, metadata in made.items()
    ]


def _by_job(
    context: dg.AssetExecutionContext, platform: PlatformResource, task: CleaningTask
) -> Sequence[Any]:
    settings, lake, rules = platform.settings, platform.lake(), platform.rules()
    platform.mapping()  # a mistake in the file is better found here
    keep_rules(lake, rules)
    order = CleaningOrder(
        settings.lake_url, rules.version, mapping_text(settings.event_mapping), task
    )
    application = settings.emr_serverless
    if application is None:
        completed = _on_this_machine(context, order)
    else:
        from feedback_platform.orchestration.spark_on_emr import (  # noqa: PLC0415 - half a second
            run_on_emr_serverless,
        )

        completed = run_on_emr_serverless(context, order, application)
    # What nobody reported was not made.
    return completed.get_results(implicit_materializations=False)


def _on_this_machine(context: dg.AssetExecutionContext, order: CleaningOrder) -> Any:
    reader = _FileReader()
    client = dg.PipesSubprocessClient(message_reader=reader)
    with reader.failures():
        return client.run(
            # Pipes asks for what the context of an asset calls deprecated.
            context=context.op_execution_context,
            command=[sys.executable, "-m", _JOB],
            extras=order.written(),
        )


class _FileReader(ReportReader, dg.PipesTempFileMessageReader):
    """Messages of a process of this machine."""
