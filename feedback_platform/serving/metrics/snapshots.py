"""The numbers of each process at a socket, where the others find them."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from feedback_platform.ingestion.collector.distribution import Distribution
from feedback_platform.serving.metrics.metric import Labels, Metric

_log = logging.getLogger(__name__)

# A number, or a histogram's counts and, last of all, the sum of what it counted.
Number: TypeAlias = float | list[float]
Numbers: TypeAlias = dict[str, dict[Labels, Number]]
# What is older belongs to a process that is no more: of it counts what only grows.
_FRESH_SECONDS: Final = 10.0


class Snapshots:
    """A file for each place at the socket; whoever takes a dead process's place goes on with it.

    Without a directory there is one process, and nothing to share.
    """

    def __init__(
        self, metrics: Iterable[Metric], directory: Path | None = None, place: int = 0
    ) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._directory = directory
        self._place = place
        self._is_failing = False
        # What those before at this place have counted.
        self._before = _growing(self._stored(place), self._metrics)

    @property
    def metrics(self) -> list[Metric]:
        """What there is a number of."""
        return list(self._metrics.values())

    def write(self) -> None:
        """Let the others know the present numbers."""
        if self._directory is None:
            return
        content = {
            name: [[*labels, number] for labels, number in values.items()]
            for name, values in self._present().items()
        }
        path = _path(self._directory, self._place)
        unfinished = path.with_suffix(".part")
        try:
            unfinished.write_bytes(orjson.dumps({"at": time.time(), "metrics": content}))
            # Whoever reads meanwhile has the old ones, whole.
            unfinished.replace(path)
        except OSError as error:
            if not self._is_failing:
                _log.warning("The metrics cannot be kept; those of before go on: %s", error)
            self._is_failing = True
        else:
            self._is_failing = False

    def all(self) -> dict[int, Numbers]:
        """Return the numbers of all processes, by place; one's own as well as others see them.

        Were one's own newer, the sum would fall when another process answers next.
        """
        if self._directory is None:
            return {self._place: self._present()}
        self.write()
        places = [int(path.stem) for path in self._directory.glob("*.json")]
        return {place: self._stored(place) for place in sorted(places)}

    def close(self) -> None:
        """Let the others know the last numbers; tidy up where the supervisor was killed."""
        self.write()
        parent = multiprocessing.parent_process()
        if self._directory is not None and parent is not None and not parent.is_alive():
            _path(self._directory, self._place).unlink(missing_ok=True)
            # The last one turns off the light, also where the sockets lay.
            for directory in (*self._directory.glob("*/"), self._directory):
                with suppress(OSError):
                    directory.rmdir()

    def _present(self) -> Numbers:
        numbers: Numbers = {name: dict(values) for name, values in self._before.items()}
        for name, metric in self._metrics.items():
            mine = numbers.setdefault(name, {})
            for labels, value in metric.read().items():
                mine[labels] = added(mine.get(labels), _number(value))
        return numbers

    def _stored(self, place: int) -> Numbers:
        if self._directory is None:
            return {}
        try:
            stored: dict[str, Any] = orjson.loads(_path(self._directory, place).read_bytes())
        except FileNotFoundError:
            return {}
        numbers: Numbers = {
            name: {tuple(labels): number for *labels, number in values}
            for name, values in stored["metrics"].items()
        }
        is_fresh = time.time() - stored["at"] < _FRESH_SECONDS
        return numbers if is_fresh else _growing(numbers, self._metrics)


def added(first: Number | None, second: Number) -> Number:
    """Return the sum of two numbers, or of the counts of two histograms."""
    if first is None:
        return second
    if isinstance(first, list) and isinstance(second, list):
        return [one + other for one, other in zip(first, second, strict=True)]
    assert not isinstance(first, list)  # noqa: S101 - a metric has one kind
    assert not isinstance(second, list)  # noqa: S101
    return first + second


def _number(value: float | Distribution) -> Number:
    return [*value.counts, value.total] if isinstance(value, Distribution) else value


def _growing(numbers: Numbers, metrics: Mapping[str, Metric]) -> Numbers:
    return {
        name: values
        for name, values in numbers.items()
        if name in metrics and metrics[name].merge is None
    }


def _path(directory: Path, place: int) -> Path:
    return directory / f"{place}.json"
