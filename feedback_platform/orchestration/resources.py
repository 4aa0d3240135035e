"""The one resource: it carries the settings, and hands out plain objects that carry behaviour."""

from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from feedback_platform.adjustment.flag_switch import StoredFlags
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.adjustment.rules.changes import FlagSwitch
from feedback_platform.adjustment.rules.definition import Rule
from feedback_platform.adjustment.rules.rules_file import load_trigger_rules
from feedback_platform.adjustment.rules.webhook import Receiver
from feedback_platform.cleaning.configuration import CleaningRules, load_rules
from feedback_platform.cleaning.engines.port import Engine
from feedback_platform.cleaning.engines.selection import chosen_engine
from feedback_platform.clock import utc_now
from feedback_platform.emr_serverless import EmrServerless
from feedback_platform.events.translation.mapping import EventMapping, load_mapping
from feedback_platform.lake.store import Lake
from feedback_platform.learning.gate_rules import GateRules, load_gate_rules
from feedback_platform.monitoring.monitoring_rules import (
    MonitoringRules,
    load_monitoring_rules,
)
from feedback_platform.orchestration.runs import note_process
from feedback_platform.settings import DBT_PROJECT_DIR, Settings, webhook_of
from feedback_platform.warehouse import published
from feedback_platform.warehouse.transformation import DbtProject


class PlatformResource(dg.ConfigurableResource):
    """Where this installation keeps its data; see `feedback_platform.settings`."""

    data_dir: str
    lake_url: str
    event_mapping: str = ""
    cleaning_rules: str = ""
    gate_rules: str = ""
    trigger_rules: str = ""
    monitoring_rules: str = ""
    experiments: str = ""
    engine: str = "polars"
    warehouse: str = "duckdb"
    spark_driver: str = "in-run"
    emr_serverless: dict[str, str] = {}  # noqa: RUF012 - copied for each instance, by pydantic
    exploration_share: float = Settings.exploration_share
    segmentation: str = "k-means"
    watch_seconds: float = 0.0

    @classmethod
    def from_settings(cls, settings: Settings, watch_seconds: float = 0.0) -> "PlatformResource":
        """Return the resource for settings that were read already.

        Args:
            settings: of this installation.
            watch_seconds: how long a sensor goes on looking for what is new in a tick; where no
                daemon begins the next one, it looks once.
        """
        return cls(
            data_dir=str(settings.data_dir),
            lake_url=settings.lake_url,
            event_mapping=str(settings.event_mapping or ""),
            cleaning_rules=str(settings.cleaning_rules or ""),
            gate_rules=str(settings.gate_rules or ""),
            trigger_rules=str(settings.trigger_rules or ""),
            monitoring_rules=str(settings.monitoring_rules or ""),
            experiments=str(settings.experiments or ""),
            engine=settings.engine,
            warehouse=settings.warehouse,
            spark_driver=settings.spark_driver,
            emr_serverless=asdict(settings.emr_serverless) if settings.emr_serverless else {},
            exploration_share=settings.exploration_share,
            segmentation=settings.segmentation,
            watch_seconds=watch_seconds,
        )

    @property
    def settings(self) -> Settings:
        """The settings."""
        return Settings(
            data_dir=Path(self.data_dir),
            lake_url=self.lake_url,
            event_mapping=Path(self.event_mapping) if self.event_mapping else None,
            cleaning_rules=Path(self.cleaning_rules) if self.cleaning_rules else None,
            gate_rules=Path(self.gate_rules) if self.gate_rules else None,
            trigger_rules=Path(self.trigger_rules) if self.trigger_rules else None,
            monitoring_rules=Path(self.monitoring_rules) if self.monitoring_rules else None,
            experiments=Path(self.experiments) if self.experiments else None,
            engine=self.engine,
            warehouse=self.warehouse,
            spark_driver=self.spark_driver,
            emr_serverless=EmrServerless(**self.emr_serverless) if self.emr_serverless else None,
            exploration_share=self.exploration_share,
            segmentation=self.segmentation,
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Have a run say in which process it is: every run is one, and may be killed."""
        if context.run is not None and context.instance is not None:
            note_process(context.instance, context.run)

    def now(self) -> datetime:
        """Return the time (UTC) of which every step says that it is now."""
        return utc_now()

    def lake(self) -> Lake:
        """Return the object store."""
        return Lake(self.lake_url)

    def mapping(self) -> EventMapping:
        """Return what the names of events mean, read anew: a corrected file counts at once."""
        return load_mapping(self.settings.event_mapping)

    def rules(self) -> CleaningRules:
        """Return the cleaning rules, read anew as well."""
        return load_rules(self.settings.cleaning_rules)

    def models_gate(self) -> GateRules:
        """Return what a model has to stand up to, read anew as well."""
        return load_gate_rules(self.settings.gate_rules)

    def monitoring(self) -> MonitoringRules:
        """Return what follows from drift and when somebody is told, read anew as well."""
        return load_monitoring_rules(self.settings.monitoring_rules)

    def adjustment_rules(self) -> tuple[Rule, ...]:
        """Return the trigger rules, read anew as well."""
        has_webhook = self.webhook() is not None
        return load_trigger_rules(self.settings.trigger_rules, has_webhook=has_webhook)

    def webhook(self) -> Receiver | None:
        """Return whom trigger rules may call; read from the environment, as it is a secret."""
        url, secret = webhook_of()
        return Receiver(url, secret) if url is not None else None

    def flags(self) -> FlagSwitch:
        """Return the flags that trigger rules may switch."""
        return StoredFlags(Flags(self.lake()), self.now)

    def cleaning_engine(self) -> Engine[Any, Any]:
        """Return what runs the cleaning rules."""
        return chosen_engine(self.settings)

    def dbt(self) -> DbtProject:
        """Return the dbt project, parsed once per process."""
        settings = self.settings
        return _dbt_project(settings.dbt_target_dir, settings.warehouse_path)

    def dbt_on(self, engine: str) -> DbtProject:
        """Return the same project as another engine builds it."""
        settings = self.settings
        directory = settings.dbt_target_dir / engine
        return _dbt_project(directory, settings.warehouse_path, engine)

    def query(self, sql: str, parameters: list[Any] | None = None) -> pl.DataFrame:
        """Run a query over the published tables."""
        return published.query(self.settings.published_path, sql, parameters)

    def query_once(self, sql: str) -> pl.DataFrame:
        """Run a query over the published tables, once for each state of them."""
        return published.query_once(self.settings.published_path, sql)


# Dagster makes the resource anew for every run; what it keeps for itself is parsed again each time.
@cache
def _dbt_project(target_dir: Path, warehouse_path: Path, engine: str = "duckdb") -> DbtProject:
    return DbtProject(DBT_PROJECT_DIR, target_dir, warehouse_path, engine)
