"""Fitting several candidate sources to the same data."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from feedback_platform.learning.sources import Model, Source, TrainingInput


def fitted(sources: Sequence[Source], data: TrainingInput, seed: int) -> dict[str, Model]:
    """Fit every source; name → model, in their order.

    Those that keep a core busy for minutes, and no other, are fitted beside the rest. The rest are
    fitted one after another: how many threads a product of matrices has decides its last bits.

    Raises:
        InvalidInputError: a frame is malformed, or a source cannot learn from so much.
        NothingToLearnError: there is no preference to learn.
    """
    with ThreadPoolExecutor(1, "fitting") as beside:
        begun = {
            source.name: beside.submit(source.fit, data, seed)
            for source in sources
            if source.is_on_one_core
        }
        rest = {
            source.name: source.fit(data, seed) for source in sources if source.name not in begun
        }
        return {
            source.name: rest[source.name] if source.name in rest else begun[source.name].result()
            for source in sources
        }
