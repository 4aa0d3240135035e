"""The profiles of segments as a picture: what each likes, beside what everybody likes."""

from __future__ import annotations

from html import escape
from typing import Final

import numpy as np

from feedback_platform.learning.segment_names import lifts
from feedback_platform.learning.segments import Segmentation

# More columns than these are too many to look at; those that tell the segments apart stay.
MOST_CATEGORIES: Final = 12
_CELL, _HEIGHT, _MARGIN, _HEADER = 64, 30, 240, 110
# Twice as much as everybody, or half as much, has the full colour.
_FULL: Final = np.log(2)
_MORE, _LESS = "#2563eb", "#d97706"


def profile_plot(segmentation: Segmentation) -> str:
    """Return an SVG picture: a row for each segment, a column for each category.

    A cell has the segment's mean share in percent. It is blue where that is more than everybody's,
    orange where it is less, the stronger the farther from it.
    """
    matrix, labels = segmentation.matrix, segmentation.labels
    average = matrix.shares.mean(axis=0)
    shares = np.stack(
        [matrix.shares[labels == row].mean(axis=0) for row in range(len(segmentation.names))]
    )
    lift = np.stack([lifts(row, average) for row in shares])
    # What telling the segments apart is worth: the mean divergence that a category contributes.
    worth = (shares * np.log(np.maximum(lift, 1e-12))).clip(min=0).max(axis=0)
    columns = np.sort(np.argsort(-worth, kind="stable")[:MOST_CATEGORIES])
    sizes = np.bincount(labels, minlength=len(shares))
    width, height = _MARGIN + _CELL * len(columns) + 40, _HEADER + _HEIGHT * len(shares) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<g font-family="sans-serif" font-size="12">',
    ]
    for place, column in enumerate(columns.tolist()):
        x, y = _MARGIN + _CELL * place + _CELL // 2, _HEADER - 8
        parts.append(
            f'<text x="{x}" y="{y}" transform="rotate(-40 {x} {y})">'
            f"{_short(matrix.categories[column], 18)}</text>"
        )
    for row, name in enumerate(segmentation.names):
        y = _HEADER + _HEIGHT * row
        label = f"{segmentation.model.ids[row]}  {name}"
        parts.append(
            f'<text x="8" y="{y + 13}">{_short(label, 34)}</text>'
            f'<text x="8" y="{y + 26}" font-size="10" fill="#555">{sizes[row]:,} users</text>'
        )
        for place, column in enumerate(columns.tolist()):
            parts.append(_cell(_MARGIN + _CELL * place, y, shares[row, column], lift[row, column]))
    return "\n".join([*parts, "</g></svg>"])


def _cell(x: int, y: int, share: float, lift: float) -> str:
    distance = float(np.log(max(lift, 1e-12)))
    colour = _MORE if distance > 0 else _LESS
    strength = min(abs(distance) / _FULL, 1.0) * 0.8
    return (
        f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_HEIGHT - 2}" '
        f'fill="{colour}" fill-opacity="{strength:.2f}"/>'
        f'<text x="{x + _CELL // 2 - 1}" y="{y + 19}" text-anchor="middle">{share:.0%}</text>'
    )


def _short(text: str, length: int) -> str:
    return escape(text if len(text) <= length else text[: length - 1] + "…")
