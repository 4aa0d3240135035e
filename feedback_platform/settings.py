"""Every knob of the platform, and the only file that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from feedback_platform.errors import InvalidSettingError

LAKE_SCHEMES = ("file", "s3", "gs")
PROJECT_DIR = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = PROJECT_DIR / "dbt_project"


@dataclass(frozen=True)
class Settings:
    """Where this installation keeps its data.

    Attributes:
        data_dir: absolute directory of everything the platform writes on this machine.
        lake_url: the object store, `file:///…`, `s3://bucket/prefix` or `gs://bucket/prefix`.
    """

    data_dir: Path
    lake_url: str

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file that only the pipeline opens."""
        return self.data_dir / "warehouse" / "warehouse.duckdb"

    @property
    def published_path(self) -> Path:
        """The DuckDB file that everybody else reads."""
        return self.data_dir / "published" / "feedback.duckdb"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage: runs, events, schedule and sensor state."""
        return self.data_dir / "dagster"

    @property
    def dbt_target_dir(self) -> Path:
        """What dbt compiles and writes: the manifest, run results."""
        return self.data_dir / "dbt"

    @property
    def cache_dir(self) -> Path:
        """Copies of remote objects that a local engine reads; safe to delete."""
        return self.data_dir / "cache"


def load_settings(
    data_dir: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings from the environment.

    Args:
        data_dir: overrides `FEEDBACK_DATA_DIR`, as the `--data-dir` option does.
        environment: the variables to read; the process's own when left out.

    Raises:
        InvalidSettingError: a variable has a value the platform does not accept.
    """
    environment = os.environ if environment is None else environment
    chosen = data_dir or Path(environment.get("FEEDBACK_DATA_DIR") or "data")
    resolved = chosen.expanduser().resolve()
    if resolved.exists() and not resolved.is_dir():
        raise InvalidSettingError("FEEDBACK_DATA_DIR", str(chosen), "a directory, not a file")
    lake_url = environment.get("FEEDBACK_LAKE_URL") or (resolved / "lake").as_uri()
    return Settings(data_dir=resolved, lake_url=checked_lake_url(lake_url))


def checked_lake_url(url: str) -> str:
    """Return a lake URL in its normal form; a plain path becomes a `file://` URL.

    Raises:
        InvalidSettingError: the scheme is unknown, or a bucket is missing.
    """
    accepts = "a directory, or a URL such as s3://bucket/prefix or gs://bucket/prefix"
    parts = urlsplit(url)
    if not parts.scheme:
        return Path(url).expanduser().resolve().as_uri()
    is_usable = not parts.netloc if parts.scheme == "file" else bool(parts.netloc)
    # Credentials in a URL would be printed with it.
    if parts.scheme not in LAKE_SCHEMES or not is_usable or "@" in parts.netloc:
        raise InvalidSettingError("FEEDBACK_LAKE_URL", url, accepts)
    return url.rstrip("/")


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Return the process environment for Dagster's own processes, pointing at these settings."""
    return {
        **os.environ,
        "DAGSTER_HOME": str(settings.dagster_home),
        "FEEDBACK_DATA_DIR": str(settings.data_dir),
        "FEEDBACK_LAKE_URL": settings.lake_url,
        # `dagster dev` recommends its successor at each start; that is news for us, not for users.
        "PYTHONWARNINGS": "ignore:Function `dev_command` is superseded",
    }
