"""What an erasure did to each layer, kept in the lake until the report is written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake


@dataclass(frozen=True)
class LayerErasure:
    """What was done to a layer.

    Attributes:
        layer: its name.
        looked_at: objects, tables or files.
        rewritten: those that changed, or were deleted.
        removed: rows that were taken out; None where nobody counts them.
        seconds: how long it took.
    """

    layer: str
    looked_at: int
    rewritten: int
    removed: int | None
    seconds: float = 0.0


class Stopwatch:
    """Tells how long each part of something took."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def lap(self) -> float:
        """Return the seconds since the part before ended."""
        now = time.monotonic()
        passed, self._since = now - self._since, now
        return round(passed, 3)


def note_progress(lake: Lake, *done: LayerErasure) -> None:
    """Add to what was done so far; an attempt that died has done something, too."""
    layers = {layer.layer: layer for layer in read_progress(lake)}
    for now in done:
        before = layers.get(now.layer)
        layers[now.layer] = now if before is None else _together(before, now)
    _write(lake, layers.values())


def read_progress(lake: Lake) -> list[LayerErasure]:
    """Return what was done since the last report."""
    stored = lake.find(keys.ERASURE_PROGRESS)
    return [LayerErasure(**layer) for layer in json.loads(stored)] if stored else []


def forget_progress(lake: Lake) -> None:
    """Begin anew: the report is written."""
    lake.delete([keys.ERASURE_PROGRESS])


def _together(before: LayerErasure, now: LayerErasure) -> LayerErasure:
    removed = None if now.removed is None else now.removed + (before.removed or 0)
    looked_at = max(before.looked_at, now.looked_at)
    return LayerErasure(
        now.layer,
        looked_at,
        before.rewritten + now.rewritten,
        removed,
        round(before.seconds + now.seconds, 3),
    )


def _write(lake: Lake, layers: Iterable[LayerErasure]) -> None:
    content = json.dumps([asdict(layer) for layer in layers]).encode()
    lake.put(keys.ERASURE_PROGRESS, content, mode="overwrite")
