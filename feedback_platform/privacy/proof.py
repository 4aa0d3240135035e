"""The proof of an erasure: every object and file is read, and no id may be found in any.

Looked at is what the lake and the data directory hold: raw objects decompressed, Parquet by its
values, models by their texts, the tables of the warehouse by their values and its file by its bytes
as well, everything else as it lies there. Not looked at are the requests themselves, which are
deleted next, what the platform alone writes about its own work, and raw objects that have landed
since what arrived late was swept out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feedback_platform.errors import InvalidInputError, PermanentError
from feedback_platform.lake import keys
from feedback_platform.lake.raw import salvaged
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.layers import Stopwatch
from feedback_platform.privacy.others import Others, is_written
from feedback_platform.privacy.traces import NOTHING, Found, Traces, chunks_of

_GZIP: Final = b"\x1f\x8b"
# SQLite has three more files beside each of its databases.
_OF_OTHER_PROGRAMS: Final = (".duckdb", ".wal", ".db", ".sqlite", "-wal", "-journal", "-shm")
# Keys, counts, times and digests that no event and no person gives a word to.
_OWN_RECORDS: Final = ("privacy/", f"{keys.CLEAN_BATCHES}/", "clean/latest.json")
_TABLES: Final = ("warehouse", "published", f"lake: {keys.PUBLISHED}/")
_PLACES_SHOWN: Final = 5


class TracesLeftError(PermanentError):
    """Something of users who were erased is left; the text says where, and names nobody."""

    def __init__(self, places: Collection[str], unread: Collection[str] = ()) -> None:
        left = f"Ids of erased users are still in {_shown(places)}. " if places else ""
        dark = f"What is in {_shown(unread)} cannot be read to its end. " if unread else ""
        super().__init__(
            f"{left}{dark}The request stays pending, and is not tried again by itself before the "
            "night. Correct or delete what holds them, repair or delete what cannot be read, and "
            "run `feedback-platform erase`, which takes out what it can and looks again."
        )
        self.places = sorted([*places, *unread])


def _shown(places: Collection[str]) -> str:
    more = f" and {len(places) - _PLACES_SHOWN} more" if len(places) > _PLACES_SHOWN else ""
    return f"{'; '.join(sorted(places)[:_PLACES_SHOWN])}{more}"


@dataclass(frozen=True)
class ScannedLayer:
    """What was read of a layer."""

    layer: str
    objects: int
    bytes: int
    seconds: float


class Scan:
    """One look at everything; what was read, and where an id was found."""

    def __init__(self, others: Others) -> None:
        self._traces: Traces = others.traces
        self._objects: defaultdict[str, int] = defaultdict(int)
        self._bytes: defaultdict[str, int] = defaultdict(int)
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._watch = Stopwatch()
        self._unread: list[str] = []
        # In how many lines and values others name somebody who was erased.
        self.mentions = 0
        self.places: dict[str, int] = {
            f"lake: {key}": rows for key, rows in others.rows_left.items()
        }

    @property
    def layers(self) -> list[ScannedLayer]:
        """What was read so far, by layer."""
        return [
            ScannedLayer(name, objects, self._bytes[name], round(self._seconds[name], 3))
            for name, objects in self._objects.items()
        ]

    @property
    def has_tables(self) -> bool:
        """Whether something was found in the warehouse or in what is published."""
        return any(place.startswith(_TABLES) for place in self.places)

    def lake(
        self,
        lake: Lake,
        *,
        unswept: Collection[str],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Look at every object of the lake.

        Args:
            lake: where they lie.
            unswept: raw objects that are too new; they are cleaned without the users.
            progress: called with objects done and objects in all.
        """
        skipped = frozenset(unswept)
        listed = _all_keys(lake)
        for number, key in enumerate(listed, start=1):
            if key in skipped or key.startswith(_OWN_RECORDS):
                continue
            data = lake.find(key)
            if data is not None:
                layer = key.partition("/")[0]
                self._note(f"lake: {key}", layer, len(data), self._in_object(key, data))
            if progress is not None:
                progress(number, len(listed))

    def directory(self, directory: Path, *, without: Path | None) -> None:
        """Look at every file below a directory.

        Args:
            directory: of this installation.
            without: a directory in it that is looked at as a lake.
        """
        for path in _files_below(directory, without):
            place = path.relative_to(directory)
            try:
                size, found = path.stat().st_size, self._in_file(path, str(place))
            except FileNotFoundError:
                # Of another process, and gone again.
                continue
            layer = place.parts[0] if len(place.parts) > 1 else "data directory"
            self._note(str(place), f"{layer} files", size, found)

    def note_table(self, name: str, found: Found) -> None:
        """Note what was found in a table of the warehouse."""
        self._note(f"warehouse table {name}", "warehouse tables", 0, found)

    def check(self) -> None:
        """Raise if an id was found anywhere.

        Raises:
            TracesLeftError: it was.
        """
        if self.places or self._unread:
            places = [f"{place} ({n})" for place, n in self.places.items()]
            raise TracesLeftError(places, self._unread)

    def _note(self, place: str, layer: str, size: int, found: Found) -> None:
        self._objects[layer] += 1
        self._bytes[layer] += size
        self._seconds[layer] += self._watch.lap()
        self.mentions += found.mentions
        if found.traces:
            self.places[place] = self.places.get(place, 0) + found.traces

    def _in_object(self, key: str, data: bytes) -> Found:
        if is_written(key):
            return NOTHING
        if keys.is_raw_object(key) or key.startswith(f"{keys.PREFERENCES}/"):
            return self._traces.in_lines(self._salvaged(f"lake: {key}", data))
        return self._in_content(f"lake: {key}", data)

    def _in_file(self, path: Path, place: str) -> Found:
        if path.name.endswith(_OF_OTHER_PROGRAMS):
            with path.open("rb") as file:
                return self._traces.in_noise(chunks_of(file))
        return self._in_content(place, path.read_bytes())

    def _in_content(self, place: str, data: bytes) -> Found:
        if place.endswith(".parquet") and data:
            return self._traces.in_parquet(data)
        if place.endswith(".npz") and data:
            return self._traces.in_arrays(data)
        if place.endswith(".lists") and data:
            return self._in_lists(place, data)
        if data.startswith(_GZIP):
            data = self._salvaged(place, data)
        return self._traces.in_content(data)

    def _in_lists(self, place: str, data: bytes) -> Found:
        try:
            return self._traces.in_lists(data)
        except InvalidInputError:
            self._unread.append(place)
            return NOTHING

    def _salvaged(self, place: str, data: bytes) -> bytes:
        content, is_whole = salvaged(data)
        if not is_whole:
            self._unread.append(place)
        return content


def _all_keys(lake: Lake) -> list[str]:
    """Return every key, and the files of writes that did not come to their end."""
    if lake.directory is None:
        return lake.list_keys("")
    return [path.relative_to(lake.directory).as_posix() for path in _files_below(lake.directory)]


def _files_below(directory: Path, without: Path | None = None) -> Iterator[Path]:
    left_out = without.resolve() if without is not None else None
    for parent, folders, names in os.walk(directory):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if (here / name).resolve() != left_out)
        yield from (here / name for name in sorted(names))
