"""How a feature is distributed: few numbers, none of which is anybody's.

A distribution is kept as how many values lie up to each of some edges. The edges are values between
which equal shares of the reference lie, so it can be told of any later sample what a histogram and
an empirical distribution function of it are at the same places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

REFERENCE_FILE: Final = "feature_reference.json"
# Between two edges lies half a per cent of the values; so much is a distance wrong by at most.
EDGES: Final = 199


@dataclass(frozen=True)
class Distribution:
    """A sample of one feature.

    Attributes:
        edges: increasing.
        counts: of values up to the first edge, from there up to the second, …, beyond the last.
        missing: how many have no value.
        mean: of the values; 0 without any.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    mean: float

    @property
    def size(self) -> int:
        """How many values there are."""
        return sum(self.counts)


@dataclass(frozen=True)
class FeatureReference:
    """What a model's features were like when it was trained.

    Attributes:
        measured_at: up to when they look (UTC).
        features: by name.
    """

    measured_at: datetime
    features: Mapping[str, Distribution]

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, content: bytes) -> FeatureReference:
        """Read what `to_bytes` wrote."""
        stored = orjson.loads(content)
        return cls(
            datetime.fromisoformat(stored["measured_at"]),
            {name: _distribution(each) for name, each in stored["features"].items()},
        )


def reference_of(frames: Mapping[str, pl.DataFrame], measured_at: datetime) -> FeatureReference:
    """Describe the features of a training.

    Args:
        frames: numeric columns; one that is null throughout is left out.
        measured_at: up to when they look (UTC).
    """
    return FeatureReference(
        measured_at,
        {
            f"{kind}.{name}": described(frame[name], edges)
            for kind, frame in frames.items()
            for name in frame.columns
            if (edges := _edges(frame[name]))
        },
    )


def described(values: pl.Series, edges: tuple[float, ...]) -> Distribution:
    """Count how many values lie between edges."""
    present = _present(values)
    places = np.searchsorted(np.asarray(edges), present, side="left")
    counts = np.bincount(places, minlength=len(edges) + 1)
    return Distribution(
        edges,
        tuple(map(int, counts)),
        missing=len(values) - len(present),
        mean=float(present.mean()) if len(present) else 0.0,
    )


def _edges(values: pl.Series) -> tuple[float, ...]:
    present = np.sort(_present(values))
    if not len(present):
        return ()
    # Values that there are, so that those of a count or a flag are told apart.
    places = (np.arange(1, EDGES + 1) * len(present)) // (EDGES + 1)
    return tuple(map(float, np.unique(present[places])))


def _present(values: pl.Series) -> npt.NDArray[np.float64]:
    found = values.cast(pl.Float64).drop_nulls().to_numpy()
    return found[np.isfinite(found)]


def _distribution(stored: dict[str, Any]) -> Distribution:
    return Distribution(
        tuple(stored["edges"]), tuple(stored["counts"]), stored["missing"], stored["mean"]
    )
