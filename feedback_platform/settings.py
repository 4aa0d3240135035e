"""Every knob of the platform, and the only file that reads the environment.

What a secret or a webhook must be like, `secret_settings` and `webhook_settings` know.
"""

from __future__ import annotations

import math
import os
import re
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from feedback_platform.emr_serverless import EmrServerless, emr_serverless_of
from feedback_platform.errors import InvalidSettingError
from feedback_platform.secret_settings import secrets_by_name, user_token_secrets_of
from feedback_platform.webhook_settings import (
    WEBHOOK_URL,
    is_callable,
    signed_webhook,
    without_path,
)

ENGINES = ("polars", "spark")
SPARK_DRIVERS = ("in-run", "process", "emr-serverless")
WAREHOUSES = ("duckdb", "spark", "snowflake", "bigquery")
LOG_FORMATS = ("text", "json")
SEGMENTATIONS = ("k-means", "ward", "strongest")
DEMO = ("auto", "on", "off")
RUN_LAUNCHERS = ("warm", "dagster")
# Of the first ten places of a list no more than one is explored.
MOST_EXPLORATION = 0.1
LAKE_SCHEMES = ("file", "s3", "gs")
_PRINTABLE = re.compile(r"[!-~]+")
PROJECT_DIR = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = PROJECT_DIR / "dbt_project"
_OF_TESTS = frozenset({"FEEDBACK_SHARED_DATA"})


@dataclass(frozen=True)
class Settings:
    """Where this installation keeps its data, and whom it listens to.

    Attributes:
        data_dir: absolute directory of everything the platform writes on this machine.
        lake_url: the object store, `file:///…`, `s3://bucket/prefix` or `gs://bucket/prefix`.
        engine: what cleans, and with `spark` also factorises: `polars` or `spark`.
        spark_driver: where Spark's driver cleans: `in-run`, in the process of Dagster's run itself;
            `process`, in one of its own on this machine; or `emr-serverless`.
        emr_serverless: where that is, or None.
        warehouse: where dbt builds the tables: `duckdb`, `spark`, or, by dbt's own command,
            `snowflake` and `bigquery`.
        exploration_share: the chance of each of the first ten places of a list to be given to an
            item drawn at random.
        segmentation: what groups users, `k-means`, `ward`, or whichever is `strongest`.
        write_keys: secret of each sender of events, by a name that may be shown; none in a
            trusted, local installation.
        api_keys: secret of each administrator, by a name that may be shown.
        user_token_secrets: what end users' tokens are signed with, and what they were until now.
        events_per_second: how many events each write key may send, or None for as many as it likes.
        demo: whether the API serves the demo page, `on`, `off`, or `auto`: where there are no keys.
        event_mapping: the file that maps the senders' own event names, or None.
        cleaning_rules: the file with the installation's own cleaning rules, or None.
        gate_rules: the file that says when a model may be promoted, or None.
        flags: the file that defines feature flags, which the API takes over at its start, or None.
        trigger_rules: the file with the installation's own trigger rules, or None.
        monitoring_rules: the file that says what follows from drift and when somebody is told, or
            None.
        experiments: the file that defines experiments, which rules and the UI may start, or None.
        webhook_url, webhook_secret: whom trigger rules may call, and what signs the calls.
        alert_webhook_url, alert_webhook_secret: who is told of alerts, and what signs that.
        alert_slack_url: an incoming webhook of Slack, or of what takes the same, that is told of
            alerts; all of it is a secret.
        schema_registry_url: an external schema registry, or None for the embedded one; it may hold
            credentials.
        kafka_bootstrap_servers: the Kafka brokers, or None.
        log_format: how the API logs, `text` or `json`.
        compute_logs_url: the s3:// prefix under which Dagster keeps what its steps print, or None
            for the data directory.
        dagster_database_url: the PostgreSQL database of Dagster's runs, events and ticks, or None
            for SQLite in the data directory. The password is in PGPASSWORD or PGPASSFILE.
        dagster_config: a file whose sections take the place of those of `dagster.yaml`, or None.
        run_launcher: how Dagster starts a run: forked from a `warm` process, or the way of
            `dagster` itself, which starts Python anew.
    """

    data_dir: Path
    lake_url: str
    engine: str = "polars"
    spark_driver: str = "in-run"
    emr_serverless: EmrServerless | None = None
    warehouse: str = "duckdb"
    exploration_share: float = 0.05
    segmentation: str = "k-means"
    write_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    user_token_secrets: tuple[str, ...] = field(default=(), repr=False)
    events_per_second: float | None = None
    demo: str = "auto"
    event_mapping: Path | None = None
    cleaning_rules: Path | None = None
    gate_rules: Path | None = None
    flags: Path | None = None
    trigger_rules: Path | None = None
    monitoring_rules: Path | None = None
    experiments: Path | None = None
    webhook_url: str | None = field(default=None, repr=False)
    webhook_secret: str = field(default="", repr=False)
    alert_webhook_url: str | None = field(default=None, repr=False)
    alert_webhook_secret: str = field(default="", repr=False)
    alert_slack_url: str | None = field(default=None, repr=False)
    schema_registry_url: str | None = field(default=None, repr=False)
    kafka_bootstrap_servers: str | None = None
    compute_logs_url: str | None = None
    dagster_database_url: str | None = None
    dagster_config: Path | None = None
    log_format: str = "text"
    run_launcher: str = "warm"

    @property
    def has_spark_here(self) -> bool:
        """Whether Spark is chosen, and its driver runs on this machine."""
        return self.engine == "spark" and self.spark_driver != "emr-serverless"

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that no log may show."""
        of_others = tuple(
            filter(None, (self.webhook_secret, self.alert_webhook_secret, self.alert_slack_url))
        )
        keys = (*self.write_keys.values(), *self.api_keys.values())
        return (*keys, *self.user_token_secrets, *of_others)

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
    def data_docs_dir(self) -> Path:
        """What Great Expectations found last, as a static site for each layer."""
        return self.data_dir / "quality"

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
    webhook_url, webhook_secret = webhook_of(environment)
    alerts = alert_receivers(environment)
    engine = _one_of("FEEDBACK_ENGINE", ENGINES, environment)
    spark_driver = _spark_driver(engine, environment)
    lake_url = checked_lake_url(lake_url)
    if spark_driver == "emr-serverless" and not lake_url.startswith("s3:"):
        accepts = "a URL such as s3://bucket/prefix, where FEEDBACK_SPARK_DRIVER is emr-serverless"
        raise InvalidSettingError("FEEDBACK_LAKE_URL", lake_url, accepts)
    return Settings(
        data_dir=resolved,
        lake_url=lake_url,
        engine=engine,
        spark_driver=spark_driver,
        emr_serverless=emr_serverless_of(environment, is_needed=spark_driver == "emr-serverless"),
        warehouse=_one_of("FEEDBACK_WAREHOUSE", WAREHOUSES, environment),
        exploration_share=_exploration_share(environment),
        segmentation=_one_of("FEEDBACK_SEGMENTATION", SEGMENTATIONS, environment),
        write_keys=secrets_by_name("FEEDBACK_WRITE_KEYS", environment),
        api_keys=secrets_by_name("FEEDBACK_API_KEYS", environment),
        user_token_secrets=user_token_secrets_of(environment),
        events_per_second=_rate("FEEDBACK_EVENTS_PER_SECOND", environment),
        demo=_one_of("FEEDBACK_DEMO", DEMO, environment),
        event_mapping=_file("FEEDBACK_EVENT_MAPPING", environment),
        cleaning_rules=_file("FEEDBACK_CLEANING_RULES", environment),
        gate_rules=_file("FEEDBACK_GATE_RULES", environment),
        flags=_file("FEEDBACK_FLAGS", environment),
        trigger_rules=_file("FEEDBACK_TRIGGER_RULES", environment),
        monitoring_rules=_file("FEEDBACK_MONITORING_RULES", environment),
        experiments=_file("FEEDBACK_EXPERIMENTS", environment),
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        alert_webhook_url=alerts.webhook_url,
        alert_webhook_secret=alerts.webhook_secret,
        alert_slack_url=alerts.slack_url,
        schema_registry_url=_web_address("FEEDBACK_SCHEMA_REGISTRY_URL", environment),
        kafka_bootstrap_servers=environment.get("FEEDBACK_KAFKA_BOOTSTRAP_SERVERS") or None,
        compute_logs_url=_bucket("FEEDBACK_COMPUTE_LOGS_URL", environment),
        dagster_database_url=_database("FEEDBACK_DAGSTER_DATABASE_URL", environment),
        dagster_config=_file("FEEDBACK_DAGSTER_CONFIG", environment),
        log_format=_one_of("FEEDBACK_LOG_FORMAT", LOG_FORMATS, environment),
        run_launcher=_one_of("FEEDBACK_RUN_LAUNCHER", RUN_LAUNCHERS, environment),
    )


def webhook_of(environment: Mapping[str, str] | None = None) -> tuple[str | None, str]:
    """Return the address that trigger rules may call, or None, and the secret that signs.

    A secret goes no way but this: what Dagster is configured with, its UI shows.

    Args:
        environment: the process's own when left out.

    Raises:
        InvalidSettingError: one is malformed or missing beside the other.
    """
    environment = os.environ if environment is None else environment
    return signed_webhook("FEEDBACK_WEBHOOK_URL", "FEEDBACK_WEBHOOK_SECRET", environment)


@dataclass(frozen=True)
class AlertReceivers:
    """Who is told of alerts beside the log, see `Settings`."""

    webhook_url: str | None = field(default=None, repr=False)
    webhook_secret: str = field(default="", repr=False)
    slack_url: str | None = field(default=None, repr=False)


def alert_receivers(environment: Mapping[str, str] | None = None) -> AlertReceivers:
    """Return who is told of alerts; read where it is needed, as `webhook_of` is.

    Args:
        environment: the process's own when left out.

    Raises:
        InvalidSettingError: one is malformed or missing beside the other.
    """
    environment = os.environ if environment is None else environment
    url, secret = signed_webhook(
        "FEEDBACK_ALERT_WEBHOOK_URL", "FEEDBACK_ALERT_WEBHOOK_SECRET", environment
    )
    name = "FEEDBACK_ALERT_SLACK_URL"
    slack = environment.get(name) or None
    if slack is not None and not is_callable(slack):
        raise InvalidSettingError(name, without_path(slack), WEBHOOK_URL)
    return AlertReceivers(url, secret, slack)


def unknown_settings(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the variables that look like settings of the platform, and that nobody reads.

    Args:
        environment: the process's own when left out.
    """
    names = dict(os.environ if environment is None else environment)
    asked = _Asked(names)
    load_settings(environment=asked)
    ours = {name for name in names if name.startswith("FEEDBACK_") and name not in _OF_TESTS}
    return sorted(name for name in ours - asked.keys_asked if not name.startswith("FEEDBACK_TEST_"))


class _Asked(UserDict[str, str]):
    """Variables that remember which of them were asked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.keys_asked: set[str] = set()
        super().__init__(variables)

    def __contains__(self, name: object) -> bool:
        self.keys_asked.add(str(name))
        return super().__contains__(name)

    def __getitem__(self, name: str) -> str:
        self.keys_asked.add(name)
        return super().__getitem__(name)


def checked_lake_url(url: str) -> str:
    """Return a lake URL in its normal form; a plain path becomes a `file://` URL.

    Raises:
        InvalidSettingError: the scheme is unknown, or a bucket is missing.
    """
    accepts = "a directory, or a URL such as s3://bucket/prefix or gs://bucket/prefix"
    parts = _parts("FEEDBACK_LAKE_URL", url, accepts)
    if not parts.scheme:
        return Path(url).expanduser().resolve().as_uri()
    is_usable = not parts.netloc if parts.scheme == "file" else _is_bucket(parts.netloc)
    if parts.scheme not in LAKE_SCHEMES or not is_usable:
        raise InvalidSettingError("FEEDBACK_LAKE_URL", without_credentials(url), accepts)
    return url.rstrip("/")


def _one_of(name: str, accepted: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """Return one of the values that a setting accepts; the first when it is not set."""
    text = environment.get(name) or accepted[0]
    if text not in accepted:
        raise InvalidSettingError(name, text, " or ".join(accepted))
    return text


def _spark_driver(engine: str, environment: Mapping[str, str]) -> str:
    name = "FEEDBACK_SPARK_DRIVER"
    driver = _one_of(name, SPARK_DRIVERS, environment)
    if engine != "spark" and driver != SPARK_DRIVERS[0]:
        raise InvalidSettingError(
            name, driver, f"{SPARK_DRIVERS[0]} alone, unless FEEDBACK_ENGINE is spark"
        )
    return driver


def checked_endpoint(url: str) -> str:
    """Return the address that AWS's own variables give to a service.

    Raises:
        InvalidSettingError: it holds a user or a password, which errors would show.
    """
    if "@" in url:
        raise InvalidSettingError(
            "AWS_ENDPOINT_URL",
            without_credentials(url),
            "a URL without user and password; they stand in AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY",
        )
    return url


def without_credentials(url: str) -> str:
    """Return a URL to be shown, however malformed: without what stands before its last `@`."""
    before, _, rest = url.rpartition("@")
    scheme, slashes, _ = before.partition("//")
    return f"{scheme}//{rest}" if slashes else rest


def _file(name: str, environment: Mapping[str, str]) -> Path | None:
    text = environment.get(name)
    return Path(text).expanduser().resolve() if text else None


def _rate(name: str, environment: Mapping[str, str]) -> float | None:
    text = environment.get(name)
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise InvalidSettingError(name, text, "a number of events per second above 0")
    return rate


def _exploration_share(environment: Mapping[str, str]) -> float:
    name = "FEEDBACK_EXPLORATION_SHARE"
    text = environment.get(name)
    if not text:
        return Settings.exploration_share
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= MOST_EXPLORATION:
        raise InvalidSettingError(
            name, text, f"a share of the places, from 0 to {MOST_EXPLORATION}"
        )
    return share


def _web_address(name: str, environment: Mapping[str, str]) -> str | None:
    text = environment.get(name)
    if not text:
        return None
    accepts = "an http:// or https:// URL"
    parts = _parts(name, text, accepts)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise InvalidSettingError(name, without_credentials(text), accepts)
    return text.rstrip("/")


def _database(name: str, environment: Mapping[str, str]) -> str | None:
    """Return the URL of a PostgreSQL database; it stands in a file, so without a password."""
    text = environment.get(name)
    if not text:
        return None
    try:
        parts = urlsplit(text)
        is_sound = parts.port != 0 and "password" not in parse_qs(parts.query)
    except ValueError:
        is_sound = False
    user, at, _ = parts.netloc.rpartition("@") if is_sound else ("", "", "")
    if (
        not (is_sound and at and user and parts.path.strip("/"))
        or parts.scheme != "postgresql"
        or ":" in user
        or _PRINTABLE.fullmatch(text) is None
    ):
        # Half a password may stand anywhere.
        raise InvalidSettingError(
            name,
            "…",
            "a URL such as postgresql://user@host:5432/database?sslmode=verify-full without a "
            "password, which stands in PGPASSWORD or in the file of PGPASSFILE",
        )
    return text


def _bucket(name: str, environment: Mapping[str, str]) -> str | None:
    text = environment.get(name)
    if not text:
        return None
    accepts = "a URL such as s3://bucket/prefix"
    parts = _parts(name, text, accepts)
    if parts.scheme != "s3" or not _is_bucket(parts.netloc):
        raise InvalidSettingError(name, without_credentials(text), accepts)
    return text.rstrip("/")


def _parts(name: str, url: str, accepts: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        # Its text repeats what stands in the URL.
        raise InvalidSettingError(name, without_credentials(url), accepts) from None


def _is_bucket(text: str) -> bool:
    """Return whether a URL names a bucket, and no credentials, which would be printed with it."""
    return bool(text) and not {"@", ":"} & set(text)


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Return the process environment for Dagster's own processes, pointing at these settings."""
    # Dagster works in another directory, where a relative path would mean another file.
    files = {
        "FEEDBACK_EVENT_MAPPING": settings.event_mapping,
        "FEEDBACK_CLEANING_RULES": settings.cleaning_rules,
        "FEEDBACK_GATE_RULES": settings.gate_rules,
        "FEEDBACK_FLAGS": settings.flags,
        "FEEDBACK_TRIGGER_RULES": settings.trigger_rules,
        "FEEDBACK_MONITORING_RULES": settings.monitoring_rules,
        "FEEDBACK_EXPERIMENTS": settings.experiments,
        "FEEDBACK_DAGSTER_CONFIG": settings.dagster_config,
    }
    return {
        **os.environ,
        **{name: str(path) for name, path in files.items() if path is not None},
        "DAGSTER_HOME": str(settings.dagster_home),
        "FEEDBACK_DATA_DIR": str(settings.data_dir),
        "FEEDBACK_LAKE_URL": settings.lake_url,
        "FEEDBACK_ENGINE": settings.engine,
        "FEEDBACK_SPARK_DRIVER": settings.spark_driver,
        **(settings.emr_serverless.variables if settings.emr_serverless else {}),
        "FEEDBACK_WAREHOUSE": settings.warehouse,
        "FEEDBACK_EXPLORATION_SHARE": str(settings.exploration_share),
        "FEEDBACK_SEGMENTATION": settings.segmentation,
        # `dagster dev` recommends its successor at each start; that is news for us, not for users.
        "PYTHONWARNINGS": "ignore:Function `dev_command` is superseded",
    }
