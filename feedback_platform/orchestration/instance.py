"""What Dagster itself is configured with: `dagster.yaml`, and what the settings add to it.

It imports no Dagster: whoever only prepares the way for it need not wait for that.
"""

import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from feedback_platform.errors import InvalidSettingError
from feedback_platform.settings import PROJECT_DIR, Settings

_STORAGES: Final = ("storage", "run_storage", "event_log_storage", "schedule_storage")


def prepare_home(settings: Settings) -> None:
    """Put this project's `dagster.yaml`, with what the settings add, where Dagster looks for it.

    Raises:
        InvalidSettingError: FEEDBACK_DAGSTER_CONFIG cannot be read, or is not made of sections.
    """
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    # Servers that start side by side find the one or the other, whole.
    path = settings.dagster_home / "dagster.yaml"
    unfinished = path.with_name(f"{path.name}#{os.getpid()}")
    unfinished.write_text(instance_configuration(settings), encoding="utf-8")
    unfinished.replace(path)


def instance_configuration(settings: Settings) -> str:
    """Return the text of the file that Dagster finds in its home.

    A section of FEEDBACK_DAGSTER_CONFIG takes the place of the one of the same name. No secret
    of ours stands in the text, which Dagster's UI shows.

    Raises:
        InvalidSettingError: FEEDBACK_DAGSTER_CONFIG cannot be read, or is not made of sections.
    """
    shipped = (PROJECT_DIR / "dagster.yaml").read_text(encoding="utf-8")
    added = _added(settings)
    if not added and settings.run_launcher == "warm":
        return shipped
    sections = yaml.safe_load(shipped)
    if settings.run_launcher == "dagster":
        # Its own is what Dagster takes where none is named.
        del sections["run_launcher"]
    return yaml.safe_dump({**sections, **added}, sort_keys=False)


def _added(settings: Settings) -> dict[str, Any]:
    """Return the sections that the settings add, or put into the place of others."""
    added: dict[str, Any] = {}
    if settings.compute_logs_url is not None:
        added["compute_logs"] = _compute_logs(settings, settings.compute_logs_url)
    if settings.dagster_config is not None:
        added |= _sections(settings.dagster_config)
    if settings.dagster_database_url is not None and not added.keys() & set(_STORAGES):
        # The driver that dagster-postgres brings; SQLAlchemy would look for another one.
        url = urlsplit(settings.dagster_database_url)._replace(scheme="postgresql+psycopg2")
        added["storage"] = {"postgres": {"postgres_url": url.geturl()}}
    return added


def _sections(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        # What a parser says has a part of the file in it, over several lines.
        raise _unusable(path) from error
    if not isinstance(found, dict):
        raise _unusable(path)
    return found


def _unusable(path: Path) -> InvalidSettingError:
    return InvalidSettingError(
        "FEEDBACK_DAGSTER_CONFIG",
        str(path),
        "a readable YAML file with sections of dagster.yaml, such as run_launcher",
    )


def _compute_logs(settings: Settings, url: str) -> dict[str, Any]:
    """Return where what the steps print goes; boto3 knows the credentials and the endpoint."""
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    return {
        "module": "dagster_aws.s3.compute_log_manager",
        "class": "S3ComputeLogManager",
        "config": {
            "bucket": parts.netloc,
            **({"prefix": prefix} if prefix else {}),
            "local_dir": str(settings.dagster_home / "compute_logs"),
            "skip_empty_files": True,
        },
    }
