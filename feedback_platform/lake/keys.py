"""The layout of the lake: which key holds what. Nobody else puts keys together."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

RAW = "raw/events"
CLEAN = "clean/events"
CLEAN_BATCHES = "clean/batches"
QUARANTINE = "quarantine/events"
IMPORTS = "raw/imports"
PUBLISHED = "published"
BACKFILLS = "raw/backfills"
IDENTITY = "lake.json"
REFERENCE = "reference/cleaning"
RULES = "reference/rules"
MODELS = "models"
COLLECTOR = "collector"
DRIFT = "monitoring/drift"
MEASURED = "monitoring/measured"
ALERTS = "monitoring/alerts"
FLAGS = "flags/log"
EXPERIMENTS = "experiments/log"
EXPERIMENT_LOOKS = "experiments/looks"
ADJUSTMENTS = "adjustments"
ERASURE_REQUESTS = "privacy/requests"
ERASURE_REPORTS = "privacy/reports"
SUBJECT_REQUESTS = "privacy/subject-requests"
PREFERENCES = "preferences/log"
TOMBSTONES = "privacy/tombstones"
TOMBSTONE_KEY = "privacy/tombstone-key"
ERASED_THROUGH = "privacy/erased-through.json"
ERASURE_SWEEP = "privacy/swept-through.json"
ERASURE_PROGRESS = "privacy/progress.json"
ERASURES_STUCK = "privacy/stuck.json"

FIREHOSE = "raw/firehose"

_RAW_OBJECT = re.compile(
    rf"{RAW}/dt=(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)/hr=(?P<hour>\d\d)/"
    r"(?P<writer>[a-z0-9]+(-[a-z0-9]+)*)-[a-z0-9]+\.ndjson\.zst",
    re.ASCII,
)
# Firehose's own layout, below whatever prefix it was given and above whatever folders it makes of
# the records. A folder of four digits may be a customer's: no file is older than Firehose, of 2015.
_YEAR = r"(?P<year>20\d\d)"
_MONTH = r"(?P<month>0[1-9]|1[0-2])"
_FIREHOSE_HOUR = re.compile(rf"/(?={_YEAR}/{_MONTH}/(?P<day>\d\d)/(?P<hour>\d\d)/.)", re.ASCII)
_FIREHOSE_MONTH = re.compile(rf".*/{_YEAR}/{_MONTH}", re.ASCII)


def raw_hour(received_at: datetime) -> str:
    """Return the prefix of the raw objects received in the hour of a UTC instant."""
    return f"{RAW}/dt={received_at:%Y-%m-%d}/hr={received_at:%H}"


def raw_object(received_at: datetime, source: str, sortable_id: str) -> str:
    """Return the key of one raw object."""
    return f"{raw_hour(received_at)}/{source}-{sortable_id}.ndjson.zst"


def is_raw_object(key: str) -> bool:
    """Return whether a key is that of a raw object, and not of something that lies beside them."""
    if is_firehose(key):
        return _firehose_hour(key) is not None
    found = _RAW_OBJECT.fullmatch(key)
    return found is not None and _hour(found) is not None


def is_firehose(key: str) -> bool:
    """Return whether a raw object was written by Firehose, in its own form."""
    return key.startswith(f"{FIREHOSE}/")


def source_of(raw_key: str) -> str:
    """Return who wrote a raw object; all collectors are one."""
    if is_firehose(raw_key):
        return "firehose"
    writer = raw_key.rpartition("/")[2].rpartition("-")[0]
    return COLLECTOR if writer.startswith(f"{COLLECTOR}-") else writer


def backfill(name: str) -> str:
    """Return the key that announces raw objects behind the newest hours."""
    return f"{BACKFILLS}/{name}.json"


def cleaning_rules(version: str) -> str:
    """Return the key of one version of the cleaning rules."""
    return f"{RULES}/{version}.json"


def day_of(key: str) -> date:
    """Return the day of a raw, clean or quarantine key or prefix (its `dt=` part)."""
    if is_firehose(key):
        return hour_of(key).date()
    return date.fromisoformat(_part(key, "dt="))


def hour_of(raw_key: str) -> datetime:
    """Return the UTC hour in which a raw object was received."""
    if is_firehose(raw_key):
        hour = _firehose_hour(raw_key)
        if hour is None:
            raise ValueError(f"{raw_key!r} does not lie under an hour of Firehose")
        return hour
    passed = timedelta(hours=int(_part(raw_key, "hr=")))
    return datetime.combine(day_of(raw_key), datetime.min.time(), tzinfo=UTC) + passed


def batch_manifest(sequence: int) -> str:
    """Return the key of a cleaning batch's manifest."""
    return f"{CLEAN_BATCHES}/{sequence:012d}.json"


def batch_sequence(manifest_key: str) -> int:
    """Return the sequence number in a manifest's key."""
    return int(manifest_key.rpartition("/")[2].removesuffix(".json"))


def clean_object(day: date, sequence: int, attempt: str) -> str:
    """Return the key of a cleaning batch's rows that were received on a day.

    Each attempt has names of its own: two cleaners that race for a number harm nobody's files.
    """
    return f"{CLEAN}/dt={day:%Y-%m-%d}/batch-{sequence:012d}-{attempt}.parquet"


def quarantine_object(day: date, sequence: int, attempt: str) -> str:
    """Return the key of a cleaning batch's rejected rows that were received on a day."""
    return f"{QUARANTINE}/dt={day:%Y-%m-%d}/batch-{sequence:012d}-{attempt}.parquet"


def import_manifest(name: str, fingerprint: str) -> str:
    """Return the key that remembers that a data set of this content was imported."""
    return f"{IMPORTS}/{name}-{fingerprint}.json"


def published_file(name: str) -> str:
    """Return the key of the copy of a published file."""
    return f"{PUBLISHED}/{name}"


def published_current() -> str:
    """Return the key of the pointer to the published files that count."""
    return f"{PUBLISHED}/current.json"


def demo_simulation() -> str:
    """Return the key that remembers which simulation the demo wrote."""
    return f"{IMPORTS}/demo.json"


def erasure_request(request_id: str) -> str:
    """Return the key of a request to erase users, while it is pending."""
    return f"{ERASURE_REQUESTS}/{request_id}.json"


def erasure_report(request_id: str) -> str:
    """Return the key of what was done for a request."""
    return f"{ERASURE_REPORTS}/{request_id}.json"


def subject_request(request_id: str) -> str:
    """Return the key of what is kept of a request that somebody else's system sent."""
    return f"{SUBJECT_REQUESTS}/{request_id}.json"


def preferences_log(instant: datetime) -> str:
    """Return the key behind which those of what was said since a UTC instant lie."""
    return f"{PREFERENCES}/{instant:%Y%m%dT%H%M%S%f}Z"


def preferences_entry(said_at: datetime, event_id: str) -> str:
    """Return the key of what a user said of their preferences."""
    return f"{preferences_log(said_at)}-{event_id}.json"


def tombstones(name: str) -> str:
    """Return the key of a part of the identities that were erased, as digests."""
    return f"{TOMBSTONES}/{name}.json"


def drift_state() -> str:
    """Return the key of what drift detection carries from one tick to the next."""
    return f"{DRIFT}/state.json"


def drift_events() -> str:
    """Return the prefix of the detected changes."""
    return f"{DRIFT}/events"


def drift_event(event_id: str) -> str:
    """Return the key of one detected change."""
    return f"{drift_events()}/{event_id}.json"


def measured(name: str) -> str:
    """Return the key of a table that was measured from what is published."""
    return f"{MEASURED}/{name}.parquet"


def feature_looks() -> str:
    """Return the key of what was seen of the features at the last looks."""
    return f"{DRIFT}/features.json"


def feature_looked_at() -> str:
    """Return the key of the time of the last of those looks."""
    return f"{DRIFT}/looked.json"


def alert_entries() -> str:
    """Return the prefix of the ledger of alerts."""
    return f"{ALERTS}/ledger"


def alert_entry(sequence: int) -> str:
    """Return the key of one entry of that ledger."""
    return f"{alert_entries()}/{sequence:012d}.json"


def alert_book() -> str:
    """Return the key of what the ledger's entries came to some time ago."""
    return f"{ALERTS}/book.json"


def adjustment_entries() -> str:
    """Return the prefix of the ledger of adjustments."""
    return f"{ADJUSTMENTS}/ledger"


def adjustment_entry(sequence: int) -> str:
    """Return the key of one entry of that ledger."""
    return f"{adjustment_entries()}/{sequence:012d}.json"


def adjustment_book() -> str:
    """Return the key of what the ledger's entries came to some time ago."""
    return f"{ADJUSTMENTS}/book.json"


def adjustment_evaluation() -> str:
    """Return the key of what the trigger rules were found to be at last."""
    return f"{ADJUSTMENTS}/evaluation.json"


def model_versions(name: str) -> str:
    """Return the prefix of all versions of a model."""
    return f"{MODELS}/{name}"


def model_file(name: str, version: str, filename: str) -> str:
    """Return the key of one file of a model's version."""
    return f"{MODELS}/{name}/{version}/{filename}"


def model_champion(name: str) -> str:
    """Return the key of the pointer to the version of a model that is in use."""
    return f"{MODELS}/{name}/champion.json"


def model_promotions(name: str) -> str:
    """Return the prefix of the ledger of a model's promotions."""
    return f"{MODELS}/{name}/promotions"


def model_promotion(name: str, sequence: int) -> str:
    """Return the key of one entry of that ledger."""
    return f"{model_promotions(name)}/{sequence:012d}.json"


def model_freezes(name: str) -> str:
    """Return the key of the times in which a model is not promoted."""
    return f"{MODELS}/{name}/freezes.json"


def recommendations() -> str:
    """Return the key of every user's newest list."""
    return f"{MODELS}/recommendations/lists.parquet"


def online_lists() -> str:
    """Return the prefix of the files that requests for lists are answered from."""
    return f"{MODELS}/recommendations/online"


def online_lists_file(made_at: datetime, digest: str) -> str:
    """Return the key of one such file; later ones are behind earlier ones."""
    return f"{online_lists()}/{made_at:%Y%m%dT%H%M%S}{made_at.microsecond:06d}Z-{digest}.lists"


def online_lists_made_at(key: str) -> datetime | None:
    """Return when the file of a key was made, None for something else beside them."""
    stamp = key.removeprefix(f"{online_lists()}/").partition("-")[0]
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def online_lists_current() -> str:
    """Return the key of the pointer to the file that counts."""
    return f"{MODELS}/recommendations/online.json"


def flag_entry(position: int) -> str:
    """Return the key of one entry in the log of the flags' changes."""
    return f"{FLAGS}/{position:012d}.json"


def flag_position(key: str) -> int | None:
    """Return which entry of the flags' log a key holds, None for something else beside them."""
    name = key.removeprefix(f"{FLAGS}/").removesuffix(".json")
    is_entry = name.isascii() and name.isdecimal() and key == flag_entry(int(name))
    return int(name) if is_entry else None


def experiment_entry(position: int) -> str:
    """Return the key of one entry in the log of experiments."""
    return f"{EXPERIMENTS}/{position:012d}.json"


def experiment_position(key: str) -> int | None:
    """Return which entry of the experiments' log a key holds, None for something else there."""
    name = key.removeprefix(f"{EXPERIMENTS}/").removesuffix(".json")
    is_entry = name.isascii() and name.isdecimal() and key == experiment_entry(int(name))
    return int(name) if is_entry else None


def experiment_looks(key: str) -> str:
    """Return the key of what the looks at an experiment have found."""
    return f"{EXPERIMENT_LOOKS}/{key}.json"


def firehose_month(prefix: str) -> tuple[int, int] | None:
    """Return the year and month whose files of Firehose lie under a prefix; None if it is none."""
    found = _FIREHOSE_MONTH.fullmatch(prefix)
    return (int(found["year"]), int(found["month"])) if found else None


def firehose_hour(month: str, hour: datetime) -> str:
    """Return the prefix under which Firehose puts what it received in an hour of a month (UTC)."""
    return f"{month}/{hour:%d/%H}"


def claims(source: str, incarnation: str) -> str:
    """Return the prefix of what the readers of a stream's partition agreed upon."""
    return f"raw/claims/{source}/{incarnation}"


def claim(source: str, incarnation: str, first: str) -> str:
    """Return the key of the agreement on the raw object that begins at a position."""
    return f"{claims(source, incarnation)}/{first}.json"


def checkpoint(source: str) -> str:
    """Return the key that says how far a stream's partition was stored."""
    return f"raw/checkpoints/{source}.json"


def _firehose_hour(key: str) -> datetime | None:
    """Return the first hour that the folders of a file of Firehose spell, or None."""
    hours = map(_hour, _FIREHOSE_HOUR.finditer(key, len(FIREHOSE)))
    return next(filter(None, hours), None)


def _hour(found: re.Match[str]) -> datetime | None:
    """Return the hour that a raw key names, or None where there is no such hour."""
    year, month, day, hour = (int(found[part]) for part in ("year", "month", "day", "hour"))
    try:
        return datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:
        return None


def _part(key: str, name: str) -> str:
    for segment in key.split("/"):
        if segment.startswith(name):
            return segment.removeprefix(name)
    raise ValueError(f"{key!r} has no {name!r} part")
