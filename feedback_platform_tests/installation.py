"""A whole platform in a directory, run in this process: what journeys and sensors are tested on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import dagster as dg
import polars as pl

from feedback_platform.definitions import build_definitions
from feedback_platform.lake.store import Lake
from feedback_platform.orchestration import jobs
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.runs import execute
from feedback_platform.orchestration.schedules import training_config
from feedback_platform.settings import Settings, load_settings
from feedback_platform.simulation import SimulationParameters, simulate, write_simulation
from feedback_platform.warehouse import published

FIRST_DAY: Final = date(2026, 1, 5)


class Installation:
    """One data directory, and the jobs that run on it."""

    def __init__(self, data_dir: Path, lake_url: str | None = None) -> None:
        environment = {} if lake_url is None else {"FEEDBACK_LAKE_URL": lake_url}
        self.settings: Settings = load_settings(data_dir, environment)
        self.lake = Lake(self.settings.lake_url)

    @cached_property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.settings)

    @property
    def platform(self) -> PlatformResource:
        return PlatformResource.from_settings(self.settings)

    def simulate(self, **parameters: Any) -> SimulationParameters:
        """Put the raw events of a simulation into the lake."""
        chosen = SimulationParameters(**{"first_day": FIRST_DAY, **parameters})
        write_simulation(self.lake, simulate(chosen))
        return chosen

    def run(
        self, job: str, config: Mapping[str, Any] | None = None
    ) -> dict[str, dict[str, dg.MetadataValue[Any]]]:
        """Execute a job; return the metadata of each asset that it materialised."""
        result = execute(self.definitions, self.settings, job, config)
        events = [event.materialization for event in result.get_asset_materialization_events()]
        return {event.asset_key.to_user_string(): dict(event.metadata) for event in events}

    def process(self) -> dict[str, dict[str, dg.MetadataValue[Any]]]:
        return self.run(jobs.PROCESS, {"ops": {"clean_events": {"config": {"sweep": True}}}})

    def train(self, trigger: str = "manual") -> dict[str, dict[str, dg.MetadataValue[Any]]]:
        return self.run(jobs.TRAIN, training_config(trigger))

    def checks(self) -> dict[str, dg.AssetCheckEvaluation]:
        """Execute the job `quality`; return each check's outcome by name."""
        result = execute(self.definitions, self.settings, jobs.QUALITY)
        return {check.check_name: check for check in result.get_asset_check_evaluations()}

    def query(self, sql: str) -> pl.DataFrame:
        return published.query(self.settings.published_path, sql)

    def tables(self) -> dict[str, pl.DataFrame]:
        """Every published table, its rows in an order that depends on nothing but them.

        But for the one that says when something was measured.
        """
        names = self.query('select distinct "table" as name from published.files order by 1')
        return {
            name: self.query(f"from {name} order by all")
            for name in names["name"]
            if name != "metrics.layer_freshness"
        }

    def copy_to(self, data_dir: Path) -> Installation:
        """Another installation of the same content; only the lake in the directory is its own."""
        shutil.copytree(self.settings.data_dir, data_dir)
        return Installation(data_dir)


def differences(left: Mapping[str, pl.DataFrame], right: Mapping[str, pl.DataFrame]) -> list[str]:
    """The names of tables that are not the same, row for row, in all columns."""
    names = sorted(left.keys() | right.keys())
    return [
        name
        for name in names
        if name not in left or name not in right or not left[name].equals(right[name])
    ]
