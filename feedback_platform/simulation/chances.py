"""How likely users do what, how much of it, and how fast: every number behind `behaviour`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000


@dataclass(frozen=True)
class Chances:
    """How likely a user does something: logits, or rates where it says so.

    Attributes:
        click, match: a click at the first position for a neutral taste, and how strongly it follows
            taste.
        position: by how much log2(position) lowers it.
        content: how much contentment adds to clicks.
        use, like, dismiss, dismiss_match: after a click, after a use, after an ignored impression;
            the last is how strongly a dismissal follows taste.
        reach, from_layout: items used without being shown (mean a session), and the share of
            those that users take as the product's menus offer them.
        look_first: the share of those uses that begin with a view.
        sharpness: how strongly users reach for what they like.
        raters, rate: the share of users who ever rate, and of their uses that they rate.
        survey: the share of sessions that end with a survey.
        convert: the share of uses of an item of neutral taste that convert.
        lost_end: the share of sessions whose end is never reported.
    """

    click: float = -2.64
    match: float = 0.85
    position: float = 0.3
    content: float = 0.15
    use: float = 0.3
    like: float = -3.0
    dismiss: float = -4.3
    dismiss_match: float = 0.9
    reach: float = 1.9
    from_layout: float = 0.35
    look_first: float = 0.45
    sharpness: float = 1.6
    raters: float = 0.2
    rate: float = 0.3
    survey: float = 0.04
    convert: float = 0.006
    lost_end: float = 0.05


@dataclass(frozen=True)
class Amounts:
    """How much: dwell times, ratings, answers, revenue.

    Attributes:
        view_ms, use_ms, revenue: medians of lognormal distributions for a neutral taste.
        longest_view_ms, longest_use_ms: where dwell times end.
        dwell_match: how much a taste one higher adds to the logarithm of a dwell time.
        dwell_spread, revenue_spread: standard deviations of the logarithms.
        rating, rating_match, rating_spread: stars; likewise `answer` on the scale of the survey.
    """

    view_ms: float = 20 * SECOND_MS
    use_ms: float = 70 * SECOND_MS
    longest_view_ms: float = 10 * MINUTE_MS
    longest_use_ms: float = 20 * MINUTE_MS
    dwell_match: float = 0.35
    dwell_spread: float = 0.8
    rating: float = 3.1
    rating_match: float = 0.7
    rating_spread: float = 0.7
    answer: float = 6.9
    answer_match: float = 1.5
    answer_content: float = 1.0
    answer_spread: float = 1.6
    revenue: float = 49.0
    revenue_spread: float = 0.6


@dataclass(frozen=True)
class Pace:
    """How long things take, in milliseconds; the caps keep a session under its longest."""

    click: float = 4 * SECOND_MS
    longest_click: float = 1 * MINUTE_MS
    load: int = 300
    reach: float = 4 * MINUTE_MS
    longest_reach: float = 25 * MINUTE_MS
    react: float = 2 * SECOND_MS
    dismiss: float = 6 * SECOND_MS
    leave: float = 5 * SECOND_MS
    longest_leave: float = 5 * MINUTE_MS
    update: int = 500


def click_logit(
    chances: Chances,
    *,
    match: NDArray[np.float64],
    quality: NDArray[np.float64],
    contentment: NDArray[np.float64],
    position: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the log odds of clicks, where the placement adds nothing; arrays are broadcast.

    Args:
        chances: what each part of it weighs.
        match: how much the user likes the item.
        quality: of the item.
        contentment: of the user.
        position: in the list, from 1.
    """
    return np.asarray(
        chances.click
        + chances.match * match
        + quality
        + chances.content * contentment
        - chances.position * np.log2(position)
    )
