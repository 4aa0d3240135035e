"""Confidence weights that the signals' quality speaks for: a proposal, which a person may approve.

What a signal is worth is its partial correlation with both targets, on average, in the direction in
which it should point. The weights in force are the expectation: worth goes with weight. How much
more the signals differ from it than chance would let them (DerSimonian and Laird 1986,
"Meta-analysis in clinical trials", for a line through zero) says how much to believe what was
measured, and of each signal the less, the less sure it is (empirical Bayes). So as long as the data
cannot be told from the weights in force, those are proposed; no estimate is moved out of its own
interval (limited translation: Efron and Morris 1972, "Limiting the risk of Bayes and empirical
Bayes estimators"). Weights follow worth in proportion, and add up to what they did before, so that
half-lives and conflict rules keep their meaning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from feedback_platform.monitoring.signal_quality import TARGETS

Floats = NDArray[np.float64]

# A correlation is no experiment: one proposal halves or doubles a weight at most.
MOST_CHANGE: Final = 2.0
# A weight of one would be proof, which nothing could outweigh.
HIGHEST: Final = 0.95
# Fewer signals do not tell what is chance.
LEAST_SIGNALS: Final = 3
_Z: Final = 1.959963984540054

WEIGHTS_SCHEMA: Final = pl.Schema(
    {
        "signal": pl.String(),
        "current_weight": pl.Float64(),
        "proposed_weight": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "evidence": pl.String(),
        "as_of": pl.Datetime("us", "UTC"),
    }
)


@dataclass(frozen=True)
class _Worth:
    """What a signal was measured to be worth: an average of correlations, and its error."""

    value: float
    error: float
    evidence: str


def propose_weights(quality: pl.DataFrame, weights: pl.DataFrame) -> pl.DataFrame:
    """Return a weight for each signal, with what speaks for it (`WEIGHTS_SCHEMA`).

    `low` and `high` are what the ends of the interval of what was measured would come to. A signal
    of which too little is known keeps its weight.

    Args:
        quality: as `signal_quality` returns it.
        weights: signal, score_low, score_high and confidence, those in force.
    """
    if quality.is_empty():
        return pl.DataFrame(schema=WEIGHTS_SCHEMA)
    chosen = quality.filter(pl.col("horizon_days") == _horizon(quality))
    rows = weights.sort("signal").to_dicts()
    worths = {row["signal"]: _worth(chosen, row) for row in rows}
    measured = [row for row in rows if worths[row["signal"]] is not None and row["confidence"] > 0]
    proposed = _proposed(
        np.array([row["confidence"] for row in measured]),
        [worth for row in measured if (worth := worths[row["signal"]]) is not None],
    )
    found = dict(zip((row["signal"] for row in measured), proposed, strict=False))
    as_of = chosen["as_of"][0]
    table = []
    for row in rows:
        signal, current = row["signal"], row["confidence"]
        worth = worths[signal]
        weight, low, high = found.get(signal, (current, None, None))
        evidence = "Too little is known of it." if worth is None else worth.evidence
        if worth is not None and signal not in found:
            evidence += " Too few signals point anywhere to compare them: the weight stays."
        table.append((signal, current, weight, low, high, evidence, as_of))
    return pl.DataFrame(table, schema=WEIGHTS_SCHEMA, orient="row")


def _horizon(quality: pl.DataFrame) -> int:
    """Return the horizon with the most observations, the longest of several."""
    counts = quality.group_by("horizon_days").agg(pl.col("observations").sum())
    return int(counts.sort("observations", "horizon_days")["horizon_days"][-1])


def _worth(quality: pl.DataFrame, weight: dict[str, float]) -> _Worth | None:
    rows = quality.filter(pl.col("signal") == weight["signal"]).sort("target", descending=True)
    if rows["target"].n_unique() < len(TARGETS):
        return None
    # A dismissal without a value says 0, so it should go with users who leave. The value of one
    # that has some grows with what it says.
    middle = (weight["score_low"] + weight["score_high"]) / 2
    is_against = weight["score_low"] == weight["score_high"] and middle < 1 / 2
    correlations = rows["partial_correlation"].to_numpy()
    halves = (rows["partial_high"] - rows["partial_low"]).to_numpy() / 2
    figures = rows.select("target", "partial_correlation", "partial_low", "partial_high")
    told = ", ".join(
        f"{value:+.3f} ({low:+.3f} to {high:+.3f}) with {target}"
        for target, value, low, high in figures.iter_rows()
    )
    direction = ", expected below 0" if is_against else ""
    # Both are of the same users: their errors may go together, so they are averaged, not pooled.
    return _Worth(
        float(np.mean(correlations)) * (-1 if is_against else 1),
        max(float(np.mean(halves)) / _Z, 1e-6),
        f"Partial correlation {told}, {rows['horizon_days'][0]} days ahead, "
        f"{min(rows['users'].to_list()):,} users{direction}.",
    )


def _proposed(current: Floats, worths: list[_Worth]) -> list[tuple[float, float, float]]:
    """Return weight, low and high of each signal; nothing where they cannot be compared."""
    if len(worths) < LEAST_SIGNALS:
        return []
    value = np.array([each.value for each in worths])
    error = np.array([each.error for each in worths])
    precision = 1 / error**2
    slope = float((precision * current * value).sum() / (precision * current**2).sum())
    if slope <= 0:
        return []
    expected = slope * current
    spread = _spread(value - expected, current, precision)
    trust = spread / (spread + error**2)
    settled = expected + trust * (value - expected)
    settled = np.clip(settled, value - _Z * error, value + _Z * error)
    useful = np.maximum(settled, 0)
    if useful.sum() <= 0:
        return []
    scale = float(current.sum() / useful.sum())

    def weight(worth: Floats) -> Floats:
        bounded = np.clip(scale * worth, current / MOST_CHANGE, current * MOST_CHANGE)
        return np.asarray(np.minimum(bounded, np.maximum(HIGHEST, current)))

    columns = (weight(settled), weight(value - _Z * error), weight(value + _Z * error))
    return list(zip(*(map(float, column) for column in columns), strict=True))


def _spread(residuals: Floats, current: Floats, precision: Floats) -> float:
    """Return the variance of what signals are worth around the line, beyond their errors."""
    excess = float((precision * residuals**2).sum()) - (len(residuals) - 1)
    used = (precision**2 * current**2).sum() / (precision * current**2).sum()
    return max(0.0, excess / float(precision.sum() - used)) if math.isfinite(excess) else 0.0
