"""doctor: is this installation in order, and is every event accounted for?"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Final

import click
import duckdb
import orjson

from feedback_platform.adjustment.flags.definitions_file import load_definitions
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.adjustment.rules.rules_file import load_trigger_rules
from feedback_platform.cleaning.configuration import load_rules
from feedback_platform.cli.options import with_json, with_settings
from feedback_platform.errors import FeedbackPlatformError
from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.experiments.definitions_file import load_experiments
from feedback_platform.lake.batches import latest_manifest, pending_objects
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions
from feedback_platform.learning.gate_rules import load_gate_rules
from feedback_platform.learning.training import MODELS
from feedback_platform.monitoring.accounting import account
from feedback_platform.monitoring.monitoring_rules import load_monitoring_rules
from feedback_platform.settings import DBT_PROJECT_DIR, Settings, unknown_settings
from feedback_platform.warehouse.published import published_through, query
from feedback_platform.warehouse.score_settings import check_score_settings

_LITTLE_SPACE: Final = 1 << 30


@click.command(epilog="Example: feedback-platform doctor --json")
@with_settings
@with_json
def doctor(settings: Settings, as_json: bool) -> None:
    """Check the installation; the exit code is 1 when something is wrong."""
    findings = [_examined(name, examine, settings) for name, examine in _EXAMINATIONS.items()]
    if as_json:
        keys = ("check", "ok", "finding")
        click.echo(orjson.dumps([dict(zip(keys, f, strict=True)) for f in findings]))
    else:
        for name, is_good, text in findings:
            click.echo(f"{'ok  ' if is_good else 'BAD '} {name:<10} {text}")
    sys.exit(0 if all(is_good for _, is_good, _ in findings) else 1)


def _examined(
    name: str, examine: Callable[[Settings], tuple[bool, str]], settings: Settings
) -> tuple[str, bool, str]:
    try:
        return (name, *examine(settings))
    except (FeedbackPlatformError, duckdb.Error) as error:
        return name, False, " ".join(str(error).split())


def _disk(settings: Settings) -> tuple[bool, str]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    return free > _LITTLE_SPACE, f"{free / (1 << 30):.1f} GiB free at {settings.data_dir}"


def _rules(settings: Settings) -> tuple[bool, str]:
    check_score_settings(DBT_PROJECT_DIR / "seeds")
    load_mapping(settings.event_mapping)
    rules = load_rules(settings.cleaning_rules)
    load_gate_rules(settings.gate_rules)
    load_monitoring_rules(settings.monitoring_rules)
    if settings.experiments is not None:
        load_experiments(settings.experiments)
    load_trigger_rules(settings.trigger_rules, has_webhook=settings.webhook_url is not None)
    origin = settings.cleaning_rules or "those that ship"
    mapped = f"; names of events by {settings.event_mapping}" if settings.event_mapping else ""
    return True, f"cleaning {rules.version}, {origin}{mapped}"


def _environment(_settings: Settings) -> tuple[bool, str]:
    unknown = unknown_settings()
    if unknown:
        return False, f"nobody reads {', '.join(unknown)}; misspelt?"
    return True, "every FEEDBACK_ variable is a setting"


def _lake(settings: Settings) -> tuple[bool, str]:
    lake = Lake(settings.lake_url)
    latest = latest_manifest(lake)
    pending = len(pending_objects(lake, is_sweep=True))
    return (
        True,
        f"{lake.url}: {latest.sequence if latest else 0} batches, {pending} objects to clean",
    )


def _published(settings: Settings) -> tuple[bool, str]:
    through = published_through(settings.published_path)
    if not through:
        return True, "nothing yet; run `feedback-platform process`"
    tables = query(settings.published_path, 'select count(distinct "table") from published.files')
    return True, f"{tables.item()} tables up to batch {through}"


def _events(settings: Settings) -> tuple[bool, str]:
    through = published_through(settings.published_path)
    if not through:
        return True, "none yet"
    expected = account(Lake(settings.lake_url), through=through)
    stored = query(settings.published_path, "select count(*) from interaction.interactions").item()
    return stored == expected.events, (
        f"{expected.received:,} lines = {stored:,} interactions + {expected.quarantined:,} "
        f"quarantined + {expected.duplicates:,} duplicates"
        + (f" + {expected.erased:,} erased" if expected.erased else "")
    )


def _models(settings: Settings) -> tuple[bool, str]:
    lake = Lake(settings.lake_url)
    used = [champions.in_use(lake, name) for name in MODELS]
    warnings = [found.warning for found in used if found.warning]
    if warnings:
        return False, " ".join(warnings)
    known = [f"{found.version.model} {found.version.version}" for found in used if found.version]
    return True, ", ".join(known) or "none yet; run `feedback-platform train`"


def _flags(settings: Settings) -> tuple[bool, str]:
    if settings.flags is not None:
        load_definitions(settings.flags)
    found = Flags(Lake(settings.lake_url)).refresh()
    if found.problems:
        return False, f"{'; '.join(found.problems)}; the flags in it stay as they were before"
    return True, ", ".join(found.flags) or "none yet; run `feedback-platform flags apply FILE`"


_EXAMINATIONS: Final = {
    "settings": _environment,
    "rules": _rules,
    "disk": _disk,
    "lake": _lake,
    "published": _published,
    "events": _events,
    "models": _models,
    "flags": _flags,
}
