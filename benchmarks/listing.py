"""How long finding new raw objects takes, after an hour of traffic, in a directory and on S3.

    python benchmarks/listing.py [--objects 15000 100000] [--new 100] [--rounds 5]

The S3 server is the one of the service tests; Go has to be installed to build it. The objects are
empty files put in place by hand: only their names are listed. The peer lists the whole hour with
nothing around it: `os.walk` in a directory, the pages of ListObjectsV2 on S3.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import boto3
from machine import say_what_machine

from feedback_platform.lake import batches, keys
from feedback_platform.lake.store import Lake
from feedback_platform_tests.services.s3_server import BUCKET, s3_server, s3_variables

# So many processes of the collector share the traffic; each numbers its own objects.
COLLECTORS: Final = 4
PREFIX: Final = "lake"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, nargs="+", default=[15_000, 100_000])
    parser.add_argument("--new", type=int, default=100, help="objects that no batch has cleaned")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    say_what_machine()
    columns = "all new, s", f"{chosen.new} new, s", "bare, s"
    print(f"{'store':<10} {'objects':>8}  {'  '.join(f'{column:>12}' for column in columns)}")
    for objects in chosen.objects:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            url = directory.as_uri()
            _report("directory", url, directory, objects, chosen.new, chosen.rounds, _walked)
        with tempfile.TemporaryDirectory() as name, s3_server(Path(name)) as server:
            os.environ.update(s3_variables(server.endpoint))
            directory = server.directory / BUCKET / PREFIX
            url = f"s3://{BUCKET}/{PREFIX}"
            _report("s3", url, directory, objects, chosen.new, chosen.rounds, _paged)


def _walked(directory: Path) -> list[str]:
    return [name for _, _, names in os.walk(directory / keys.RAW) for name in names]


def _paged(_directory: Path) -> list[str]:
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=BUCKET, Prefix=f"{PREFIX}/{keys.RAW}/")
    return [entry["Key"] for page in found for entry in page.get("Contents", [])]


def _report(
    store: str,
    url: str,
    directory: Path,
    objects: int,
    new: int,
    rounds: int,
    bare: Callable[[Path], list[str]],
) -> None:
    raw_keys = _hour_of_traffic(objects)
    for key in raw_keys:
        path = directory / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    lake = Lake(url)
    first = _median_seconds(lambda: batches.pending_objects(lake), objects, rounds)
    _clean(lake, raw_keys[:-new])
    tick = _median_seconds(lambda: batches.pending_objects(lake), new, rounds)
    alone = _median_seconds(lambda: bare(directory), objects, rounds)
    print(f"{store:<10} {objects:>8,}  {first:>12.3f}  {tick:>12.3f}  {alone:>12.3f}", flush=True)


def _hour_of_traffic(objects: int) -> list[str]:
    """Return the keys of an hour, in the order of their landing."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    return [
        keys.raw_object(
            hour, f"{keys.COLLECTOR}-c{number % COLLECTORS:07d}", f"{number // COLLECTORS:010d}"
        )
        for number in range(objects)
    ]


def _clean(lake: Lake, raw_keys: list[str]) -> None:
    """Commit a batch that cleaned these objects."""
    ledger = batches.Ledger.opened(lake)
    sequence, newest_hour, recent = ledger.next_batch(raw_keys)
    ledger.commit(
        batches.BatchManifest(
            sequence=sequence,
            raw_objects=raw_keys,
            clean_objects=[],
            quarantine_objects=[],
            rows=0,
            clean=0,
            quarantined=0,
            duplicates=0,
            reference_version="",
            is_reprocessing=False,
            newest_hour=newest_hour.isoformat(),
            recent_objects=recent,
            object_rows=[0] * len(raw_keys),
        )
    )


def _median_seconds(listing: Callable[[], list[str]], expected: int, rounds: int) -> float:
    measured = []
    for _ in range(rounds):
        started = time.perf_counter()
        found = listing()
        measured.append(time.perf_counter() - started)
        if len(found) != expected:
            raise SystemExit(f"The listing found {len(found)} objects of {expected}.")
    return statistics.median(measured)


if __name__ == "__main__":
    main()
