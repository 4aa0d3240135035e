"""What the proof finds in a lake, and what it does not take for proof."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.others import Others
from feedback_platform.privacy.proof import Scan, TracesLeftError
from feedback_platform.privacy.traces import Traces

FIREHOSE = f"{keys.FIREHOSE}/2026/01/08/12/stream-1"
OWN = f"{keys.RAW}/dt=2026-01-08/hr=12/web-a.ndjson.zst"
OTHERS = b"".join(b'{"user_id":"person-%d"}\n' % (n * 7919 % 10007) for n in range(5_000))
THEIRS = b'{"user_id":"somebody-1"}\n'


def looked_at(lake: Lake) -> Scan:
    scan = Scan(Others(frozenset(), Traces(["somebody-1"])))
    scan.lake(lake, unswept=[])
    return scan


@pytest.mark.parametrize(
    ("key", "data"),
    [
        pytest.param(FIREHOSE, gzip.compress(THEIRS + OTHERS)[:-9], id="gzip, cut short"),
        pytest.param(FIREHOSE, gzip.compress(OTHERS) + gzip.compress(THEIRS), id="two members"),
        pytest.param(FIREHOSE, zstandard.compress(THEIRS), id="zstd where nobody writes it"),
        pytest.param(OWN, gzip.compress(THEIRS), id="gzip where nobody writes it"),
        pytest.param(OWN, THEIRS, id="not compressed"),
    ],
)
def test_an_id_is_found_in_whatever_form_an_object_has(lake: Lake, key: str, data: bytes) -> None:
    lake.put(key, data, mode="create")

    assert looked_at(lake).places == {f"lake: {key}": 1}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(OTHERS)[:-9], id="gzip, cut short"),
        pytest.param(zstandard.compress(OTHERS)[:-9], id="zstd, cut short"),
        pytest.param(zstandard.compress(OTHERS)[:99] + bytes(99), id="zstd, damaged"),
        pytest.param(gzip.compress(OTHERS)[:99] + bytes(99), id="gzip, damaged"),
    ],
)
def test_what_cannot_be_read_to_its_end_proves_nothing(lake: Lake, data: bytes) -> None:
    lake.put(FIREHOSE, data, mode="create")

    with pytest.raises(TracesLeftError, match="cannot be read to its end") as raised:
        looked_at(lake).check()
    assert raised.value.places == [f"lake: {FIREHOSE}"]

    lake.delete([FIREHOSE])
    looked_at(lake).check()


def test_what_the_platform_writes_about_its_own_work_names_nobody(lake: Lake) -> None:
    for key in (keys.batch_manifest(1), keys.ERASURE_PROGRESS, keys.erasure_report("somebody-1")):
        lake.put(key, b'{"key": "somebody-1"}', mode="create")
    lake.put("models/notes.json", b'{"key": "somebody-1"}', mode="create")

    assert looked_at(lake).places == {"lake: models/notes.json": 1}


@pytest.mark.parametrize("name", ["runs.db", "runs.db-wal", "runs.db-journal", "runs.db-shm"])
def test_files_of_other_programs_are_searched_by_their_bytes(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00xsomebody-1y")
    scan = Scan(Others(frozenset(), Traces(["somebody-1"])))

    scan.directory(tmp_path, without=None)

    assert scan.places == {name: 1}
