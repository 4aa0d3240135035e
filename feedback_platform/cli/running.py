"""Executing Dagster jobs from the command line, with a bar that advances by table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feedback_platform.adjustment.rules.rules_file import load_trigger_rules
from feedback_platform.cli.progress import progress_bar
from feedback_platform.definitions import build_definitions
from feedback_platform.monitoring.monitoring_rules import load_monitoring_rules
from feedback_platform.orchestration.jobs import ERASE, PROCESS, PUBLISH_MODELS, TRAIN, UNDO
from feedback_platform.orchestration.progress import listening
from feedback_platform.orchestration.runs import execute, selected_tables
from feedback_platform.orchestration.schedules import training_config
from feedback_platform.settings import Settings


class JobRunner:
    """Runs the jobs of one installation; the definitions are loaded once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._definitions = build_definitions(settings)

    def process(self) -> dict[str, Any]:
        """Bring everything that has landed through to the published tables.

        Raises:
            InvalidInputError: the trigger rules or those of monitoring mean nothing.
        """
        has_webhook = self._settings.webhook_url is not None
        load_trigger_rules(self._settings.trigger_rules, has_webhook=has_webhook)
        load_monitoring_rules(self._settings.monitoring_rules)
        config = {"ops": {"clean_events": {"config": {"sweep": True}}}}
        return self._run(PROCESS, "Processing", config)

    def train(self, trigger: str = "manual") -> dict[str, Any]:
        """Retrain, evaluate, promote, segment, recommend, publish."""
        return self._run(TRAIN, "Training", training_config(trigger))

    def publish_models(self, champion: Mapping[str, Any]) -> dict[str, Any]:
        """Promote or roll back as asked, and publish what the models in use make of it."""
        config = {"ops": {"models__lists": {"config": dict(champion)}}}
        return self._run(PUBLISH_MODELS, "Publishing", config)

    def undo_adjustment(self, adjustment_id: str, reason: str) -> dict[str, Any]:
        """Take back what a trigger rule did, and publish that it is."""
        asked = {"undo": adjustment_id, "reason": reason}
        return self._run(UNDO, "Undoing", {"ops": {"metrics__adjustments": {"config": asked}}})

    def erase(self) -> dict[str, Any]:
        """Carry out the pending requests to erase users."""
        return self._run(ERASE, "Erasing", {})

    def _run(self, job: str, description: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata of what was materialised, by `asset key/name`."""
        tables = selected_tables(self._definitions, job)
        seen: dict[str, Any] = {}
        done = 0
        with progress_bar(description) as (report, detail):
            report(0, tables)

            def follow(table: str, known: Mapping[str, Any]) -> None:
                nonlocal done
                seen.update({f"{table}/{label}": value for label, value in known.items()})
                done += 1
                report(done, tables)
                detail(table)

            with listening(follow):
                execute(self._definitions, self._settings, job, config)
        return seen
