"""The curves of normalisation, from operations that every engine computes to the last bit.

IEEE 754 fixes the results of + - * / and of comparisons, but not those of logarithms and
exponentials: of a million values, Polars and Spark gave other last bits for 20,000 logarithms and
98,000 exponentials. So the curves are built from the former.

Each step is a column of its own: written as one expression, every use of a step would repeat it.
"""

from __future__ import annotations

import math
from typing import Any, Final

import narwhals as nw

_LN_2: Final = math.log(2.0)
_ROOT_2: Final = math.sqrt(2.0)
# 2 ** 1024 is beyond the largest number.
_LARGEST_EXPONENT: Final = 1023
# Terms of the series below; what is left out is less than half of the last bit.
_TERMS: Final = 11

# Abramowitz and Stegun (1964), "Handbook of Mathematical Functions", 26.2.19.
_NORMAL: Final = (
    0.0498673470,
    0.0211410061,
    0.0032776263,
    0.0000380036,
    0.0000488906,
    0.0000053830,
)


def with_logarithm(frame: nw.LazyFrame[Any], *, of: str, name: str) -> nw.LazyFrame[Any]:
    """Add ln(1 + a column); null where that is below 0.

    1 + x is m times a power of two, with m between the roots of 1/2 and 2. The engine's own
    logarithm only guesses the power; a guess that is off by one leads to the same m. Its logarithm
    is twice the inverse hyperbolic tangent of (m - 1) / (m + 1).

    Args:
        frame: on any engine.
        of: the column.
        name: of the new one.
    """
    power, mantissa, square = (f"{name}_{step}" for step in ("power", "mantissa", "square"))
    k, m, z = nw.col(power), nw.col(mantissa), nw.col(square)
    is_large = m > _ROOT_2
    series: Any = nw.lit(1.0 / (2 * _TERMS - 1))
    for term in reversed(range(_TERMS - 1)):
        series = series * z + 1.0 / (2 * term + 1)
    return (
        frame.with_columns(nw.when(nw.col(of) >= 0).then(nw.col(of) + 1.0).alias(name))
        .with_columns((nw.col(name).log() / _LN_2).floor().clip(0, _LARGEST_EXPONENT).alias(power))
        .with_columns((nw.col(name) / nw.lit(2.0) ** k).alias(mantissa))
        .with_columns(
            nw.when(is_large).then(k + 1.0).otherwise(k).alias(power),
            nw.when(is_large).then(m * 0.5).otherwise(m).alias(mantissa),
        )
        .with_columns(((m - 1.0) / (m + 1.0)).alias(mantissa))
        .with_columns((m * m).alias(square))
        .with_columns((k * _LN_2 + m * 2.0 * series).alias(name))
        .drop(power, mantissa, square)
    )


def with_normal_share(frame: nw.LazyFrame[Any], *, of: str, name: str) -> nw.LazyFrame[Any]:
    """Add the share of a normal distribution that lies below a column, to 1.5e-7.

    Args:
        frame: on any engine.
        of: the column, in standard deviations from the mean.
        name: of the new one.
    """
    z, share = nw.col(of), nw.col(name)
    polynomial: Any = nw.lit(0.0)
    for factor in reversed(_NORMAL):
        polynomial = (polynomial + factor) * share
    frame = frame.with_columns(nw.when(z < 0).then(z * -1.0).otherwise(z).alias(name))
    frame = frame.with_columns((polynomial + 1.0).alias(name))
    for _ in range(4):
        frame = frame.with_columns((share * share).alias(name))
    return frame.with_columns((nw.lit(0.5) / share).alias(name)).with_columns(
        nw.when(z < 0).then(share).otherwise(nw.lit(1.0) - share).alias(name)
    )
