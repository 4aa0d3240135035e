"""The dbt models as assets: each table a node of the graph, each test a check of its table."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, dbt_assets

from feedback_platform.adjustment.rules.ledger import adjustments_table, read_book
from feedback_platform.experiments.result_tables import experiment_tables
from feedback_platform.lake.store import Lake
from feedback_platform.learning.learned_tables import learned_tables
from feedback_platform.monitoring.alerts.ledger import alerts_table, read_alerts
from feedback_platform.monitoring.drift_state import list_events
from feedback_platform.monitoring.feature_watch import load_looks, looks_table
from feedback_platform.monitoring.measured_tables import measured_tables
from feedback_platform.orchestration import keys
from feedback_platform.orchestration.failures import RETRIES, reported_failures
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.engines.building import build_on
from feedback_platform.warehouse.increments import build_tables
from feedback_platform.warehouse.loading import replace_tables, stage_batches
from feedback_platform.warehouse.published import published_through
from feedback_platform.warehouse.transformation import DbtProject, NodeResult

AssetEvent = dg.MaterializeResult | dg.AssetCheckResult


class LayerTranslator(DagsterDbtTranslator):
    """Names dbt's nodes by schema and table, and groups them by layer."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return `schema/table`, or the key that a source names for itself."""
        named = dbt_resource_props.get("meta", {}).get("dagster", {}).get("asset_key")
        if named:
            return dg.AssetKey(named)
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Return the layer."""
        return keys.LAYER_GROUPS.get(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002
        """Return who to ask."""
        return keys.OWNERS


class TakingInConfig(dg.Config):
    """How many of the new batches to take in; the default is all of them.

    Attributes:
        portion: leave to the next run what is beyond one portion, unless readers have seen more.
            An engine that builds every table anew takes in all of them.
    """

    portion: bool = False


def build_dbt_models(project: DbtProject) -> dg.AssetsDefinition:
    """Return the dbt project as one multi-asset that runs any subset in this process."""
    manifest = project.manifest
    translator = LayerTranslator()
    nodes = {
        translator.get_asset_key(node): node
        for node in manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
    }

    @dbt_assets(
        manifest=manifest,
        name="dbt_models",
        dagster_dbt_translator=translator,
        pool=keys.WAREHOUSE_POOL,
        retry_policy=RETRIES,
    )
    def dbt_models(
        context: dg.AssetExecutionContext, config: TakingInConfig, platform: PlatformResource
    ) -> Iterator[AssetEvent]:
        """Bring new clean rows into the layers, or run the checks that were asked for."""
        wanted = {key: nodes[key] for key in context.selected_asset_keys}
        selected = {node["name"] for node in wanted.values()}
        checks = {key.name: key for key in context.selected_asset_check_keys}
        path = platform.settings.warehouse_path
        with reported_failures(), exclusive_warehouse(path):
            if selected:
                is_whole = len(selected) == len(nodes)
                results = _run_models(platform, context.log, None if is_whole else selected, config)
                yield from _materialisations(platform, results, wanted)
            if checks:
                for result in platform.dbt().test(sorted(checks)):
                    key = checks.get(result.name)
                    if key is not None:
                        yield _check_result(key, result)

    return dbt_models


def _run_models(
    platform: PlatformResource,
    log: logging.Logger,
    selected: set[str] | None,
    config: TakingInConfig,
) -> list[NodeResult]:
    """Run models, or all; new batches are taken in only where every table is there for them."""
    warehouse = platform.settings.warehouse
    if warehouse != "duckdb":
        log.info("Every table is built anew on %s, from the clean layer.", warehouse)
        return build_elsewhere(platform, platform.lake())
    if selected is not None:
        log.info("Not every table is selected, so new batches stay where they are.")
        return platform.dbt().run(sorted(selected))
    return _take_in(platform, log, is_portion=config.portion)


def _take_in(
    platform: PlatformResource, log: logging.Logger, *, is_portion: bool
) -> list[NodeResult]:
    """Bring new batches into every table.

    A portion of them ends where the next batches would be too many for memory at once. But no
    portion ends before what readers have seen: a warehouse that is built anew is not shown to them
    until it has caught up.
    """
    path, lake = platform.settings.warehouse_path, platform.lake()
    shown = published_through(platform.settings.published_path) if is_portion else 0
    project = platform.dbt()
    definitions = project.fingerprint()
    seconds: defaultdict[str, float] = defaultdict(float)
    while True:
        staged = stage_batches(path, lake, platform.settings.cache_dir, definitions=definitions)
        if staged.is_rebuild:
            log.info("The warehouse is built from the clean layer, from its first batch on.")
            restore_learned_tables(platform, lake)
        results = build_tables(project, staged, definitions)
        for result in results:
            seconds[result.unique_id] += result.seconds
        log.info("Batch %d is in every table; %d remain.", staged.through, staged.remaining)
        if staged.remaining == 0 or (is_portion and staged.through >= shown):
            return [replace(result, seconds=seconds[result.unique_id]) for result in results]


def build_elsewhere(platform: PlatformResource, lake: Lake) -> list[NodeResult]:
    """Build the tables on the engine that the settings name, and bring them into the warehouse."""
    settings = platform.settings
    return build_on(
        settings.warehouse,
        settings.warehouse_path,
        lake,
        settings.cache_dir / "spark",
        engine_project=platform.dbt_on(settings.warehouse),
        project=platform.dbt(),
        restore=partial(restore_learned_tables, platform, lake),
    )


def restore_learned_tables(platform: PlatformResource, lake: Lake) -> None:
    """Copy what the lake keeps of learning, monitoring, rules and experiments."""
    tables = {
        **learned_tables(lake),
        **measured_tables(lake),
        ("metrics", "drift_events"): list_events(lake),
        ("metrics", "feature_drift"): looks_table(load_looks(lake)),
        ("metrics", "alerts"): alerts_table(read_alerts(lake)),
        ("metrics", "adjustments"): adjustments_table(read_book(lake)),
        **experiment_tables(lake),
    }
    with open_warehouse(platform.settings.warehouse_path) as connection:
        replace_tables(connection, tables)


def _materialisations(
    platform: PlatformResource, results: list[NodeResult], wanted: Mapping[dg.AssetKey, Any]
) -> Iterator[dg.MaterializeResult]:
    key_of = {node["unique_id"]: key for key, node in wanted.items()}
    with open_warehouse(platform.settings.warehouse_path) as connection:
        for result in results:
            key = key_of.get(result.unique_id)
            if key is None:
                continue
            rows = connection.table(".".join(key.path)).shape[0]
            yield dg.MaterializeResult(
                asset_key=key, metadata={"dagster/row_count": rows, "seconds": result.seconds}
            )


def _check_result(key: dg.AssetCheckKey, result: NodeResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.is_good,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"failing rows": result.failures, "message": result.message or "none"},
    )
