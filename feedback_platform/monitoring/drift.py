"""Has behaviour changed? ADWIN (Bifet and Gavaldà, 2007) over streams of observations in [0, 1].

river's ADWIN is an object of compiled code whose state cannot be written down, and nothing here is
pickled. So a stream's state is the stream itself, as means of blocks of a fixed size: few enough
that every tick replays them into a fresh detector, which takes milliseconds. The compiled code is
asked directly: that takes 3 ms to import, and `river.drift`, which adds nothing to it but all of
river, scikit-learn and SQLAlchemy, two seconds of every micro-batch in which a block is full.

ADWIN is given each block's sum, not its mean. Its bound (of Bernstein's kind) allows one value to
be off by 1, the range of one observation; for a sum of n observations that bound is the one for
the n observations themselves, while for their mean it is n times too wide. Measured on a click
rate that falls from 0.12 to 0.06, in blocks of 200: found after 8 blocks, with means after 180.

What ADWIN finds is held against the same hours of the days before (`rhythm`): a night is unlike
the evening before it, and no change. What is not certain at once is asked again with each further
block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from river._river_rust.drift import AdaptiveWindowing

from feedback_platform.errors import InvalidInputError
from feedback_platform.monitoring.rhythm import Hour, Rhythm

METHOD: Final = "adwin"
# What follows from a change until a rule says more.
RECORDED: Final = "record"
# At river's own 0.002 one of a hundred stationary streams of 500,000 clicks raised an alarm, at
# this none; a click rate that falls from 0.12 to 0.06 is found one block later (9 instead of 8).
DEFAULT_DELTA: Final = 0.00005
DEFAULT_BLOCK_SIZE: Final = 200

# Four million observations at the default block size; beyond that a change of interest would have
# been found, and the state is read and written at every tick.
MAX_BLOCKS: Final = 20_000

# A level that is still as usual after so many hours is no change, or one that nobody can tell.
_SUSPECTED_HOURS: Final = 72

# river's own defaults: no part of a window shorter than five blocks is compared with the rest.
_MOST_BUCKETS: Final = 5
_SHORTEST_PART: Final = 5
_GRACE_PERIOD: Final = 10

_UTC_TIME: Final = pl.Datetime("us", "UTC")
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StreamState:
    """What one stream carries from one tick to the next.

    Attributes:
        stream: its name, such as `click_through`.
        block_size: observations averaged into one block.
        position: observations seen in all.
        partial_count, partial_sum: the block that is not full yet.
        blocks: means of the full blocks since ADWIN last found a change, oldest first.
        newest: when the last observation was made, in microseconds since 1970 (UTC).
        suspected: the mean before the blocks, where it is open whether they are as usual.
        hours: the stream by the hour.
        usual_since: the first hour, since 1970, that tells what days are like: the last change's.
    """

    stream: str
    block_size: int = DEFAULT_BLOCK_SIZE
    position: int = 0
    partial_count: int = 0
    partial_sum: float = 0.0
    blocks: tuple[float, ...] = ()
    newest: int = 0
    suspected: float | None = None
    hours: tuple[Hour, ...] = ()
    usual_since: int = 0


@dataclass(frozen=True)
class DriftEvent:
    """One detected change.

    Attributes:
        event_id: the same whenever the same change is found again.
        stream: where it was found.
        method: how.
        detected_at: UTC time of the last observation that was needed to find it.
        width: observations from the change on.
        before_mean: what was usual before the change, at the same hours of up to seven days; of a
            change that took longer than a week to find, the mean since the one before it.
        after_mean: mean of the observations from the change on.
        action: what follows, see `monitoring_rules`.
    """

    event_id: str
    stream: str
    method: str
    detected_at: datetime
    width: int
    before_mean: float
    after_mean: float
    action: str


class _Window:
    """The blocks since the last change, and a detector that has seen exactly them."""

    def __init__(self, blocks: Sequence[float], *, block_size: int, delta: float) -> None:
        self._block_size = block_size
        self._delta = delta
        self.keep(blocks)

    def keep(self, blocks: Sequence[float]) -> None:
        """Start anew from these blocks, as the next tick would."""
        # With river's clock of 32 it would look only every 32nd block; a block is 200 observations.
        self._detector = adaptive_window(self._delta, clock=1)
        self.blocks: list[float] = []
        for block in blocks:
            self.is_changed_by(block)

    def is_changed_by(self, block: float) -> bool:
        """Take one more block; return whether the detector finds a change with it."""
        self.blocks.append(block)
        return bool(self._detector.update(block * self._block_size))


def adaptive_window(delta: float, *, clock: int) -> Any:
    """Return a fresh ADWIN, as river's defaults make it: `update(value)` says whether it changed.

    Args:
        delta: the bound on the probability of a false alarm at one look.
        clock: it looks after every so many values.
    """
    return AdaptiveWindowing(
        delta=delta,
        clock=clock,
        max_buckets=_MOST_BUCKETS,
        min_window_length=_SHORTEST_PART,
        grace_period=_GRACE_PERIOD,
    )


def advance(
    state: StreamState,
    observations: Sequence[float] | pl.Series,
    times: Sequence[datetime] | pl.Series,
    *,
    delta: float = DEFAULT_DELTA,
    block_size: int = DEFAULT_BLOCK_SIZE,
    max_blocks: int = MAX_BLOCKS,
    has_rhythm: bool = True,
) -> tuple[StreamState, list[DriftEvent]]:
    """Take more observations of a stream; return its new state and the changes found.

    The result does not depend on how the observations are cut into calls. ADWIN says that there is
    a change; where it happened is the cut that divides the blocks into the two most different
    parts (the likelihood's maximum for a shift of the mean). The stream goes on from there: ADWIN's
    own window would still hold much of the past, and raise one alarm after another for one change.

    It is a change once the observations since then are unlike those of the same hours of the days
    before. So none is found on the first day of a stream, of which no hour is known.

    Args:
        state: what the previous call returned; `StreamState("name")` at first. A state with another
            block size gives up its blocks and starts anew.
        observations: in order, each in [0, 1].
        times: when each was made, with a time zone.
        delta: ADWIN's bound on the probability of a false alarm at one look.
        block_size: observations averaged into one block.
        max_blocks: when more have gathered, the older half of them is dropped.
        has_rhythm: whether hours are compared; else whatever ADWIN finds is a change.

    Raises:
        InvalidInputError: an observation is outside [0, 1], the times do not match, or an option
            makes no sense.
    """
    _check_options(delta=delta, block_size=block_size, max_blocks=max_blocks)
    values = _checked(state.stream, observations, times)
    if state.block_size != block_size:
        state = StreamState(
            state.stream, block_size=block_size, position=state.position, newest=state.newest
        )
    means, partial = _averaged(state, values)
    rhythm = Rhythm(state.hours, values, _microseconds(times), since=state.usual_since)
    advanced = replace(
        state,
        newest=round(times[-1].timestamp() * 1_000_000) if len(times) else state.newest,
        position=state.position + len(values),
        partial_count=(state.partial_count + len(values)) % block_size,
        partial_sum=partial,
        hours=rhythm.hours(),
    )
    if not means:
        return advanced, []
    window = _Window(state.blocks, block_size=block_size, delta=delta)
    suspected = state.suspected
    events: list[DriftEvent] = []
    for number, mean in enumerate(means, start=1):
        if window.is_changed_by(mean):
            cut = _likeliest_cut(np.array(window.blocks))
            suspected = float(np.mean(window.blocks[:cut]))
            window.keep(window.blocks[cut:])
        elif len(window.blocks) > max_blocks:
            # By half, not one by one: each drop needs a replay.
            window.keep(window.blocks[len(window.blocks) // 2 :])
        if suspected is None:
            continue
        seen = number * block_size - state.partial_count
        width, after = len(window.blocks) * block_size, float(np.mean(window.blocks))
        usual = rhythm.usual(seen, width, after) if has_rhythm else None
        if usual is None or usual.is_other:
            before = suspected if usual is None else usual.mean
            events.append(_event(state, seen, times[seen - 1], width, before, after))
            suspected = None
            if usual is not None:
                rhythm.since = usual.began_at
        elif usual.hours >= _SUSPECTED_HOURS:
            suspected = None
    advanced = replace(
        advanced,
        blocks=tuple(window.blocks),
        suspected=suspected,
        usual_since=rhythm.since,
    )
    return advanced, events


def _check_options(*, delta: float, block_size: int, max_blocks: int) -> None:
    if not 0 < delta < 1:
        raise InvalidInputError(f"ADWIN's delta is {delta}; use a probability between 0 and 1.")
    if block_size < 1:
        raise InvalidInputError(f"block_size is {block_size}; use at least 1 observation.")
    if max_blocks < _GRACE_PERIOD:
        raise InvalidInputError(
            f"max_blocks is {max_blocks}; ADWIN looks at no fewer than {_GRACE_PERIOD}."
        )


def _checked(
    stream: str,
    observations: Sequence[float] | pl.Series,
    times: Sequence[datetime] | pl.Series,
) -> _Floats:
    values = np.asarray(observations, dtype=np.float64)
    if len(values) != len(times):
        raise InvalidInputError(
            f"The stream {stream!r} got {len(values)} observations, but {len(times)} times."
        )
    bad = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if bad.size:
        raise InvalidInputError(
            f"The stream {stream!r} got {values[bad[0]]} at place {bad[0]}; "
            "scale its observations to [0, 1]."
        )
    if len(times) and times[0].tzinfo is None:
        raise InvalidInputError(f"The stream {stream!r} got times without a time zone; use UTC.")
    return values


def _averaged(state: StreamState, values: _Floats) -> tuple[list[float], float]:
    """Return the means of the blocks that became full, and the sum of the one that did not.

    Each block is summed from left to right, so that no cut between calls changes a single bit.
    """
    size = state.block_size
    missing = size - state.partial_count
    first = np.cumsum(np.concatenate(([state.partial_sum], values[:missing])))[-1]
    if len(values) < missing:
        return [], float(first)
    whole = missing + (len(values) - missing) // size * size
    sums = np.cumsum(values[missing:whole].reshape(-1, size), axis=1)[:, -1]
    rest = np.cumsum(np.concatenate(([0.0], values[whole:])))[-1]
    return [float(total) / size for total in (first, *sums)], float(rest)


def _likeliest_cut(blocks: _Floats) -> int:
    """Return where to cut blocks so that the means of both parts differ most, given their sizes."""
    size = len(blocks)
    shortest = min(_SHORTEST_PART, size // 2)
    cuts = np.arange(shortest, size - shortest + 1)
    sums = np.cumsum(blocks)
    excess = np.abs(sums[cuts - 1] - cuts / size * sums[-1])
    return int(cuts[np.argmax(excess / np.sqrt(cuts * (size - cuts)))])


def _microseconds(times: Sequence[datetime] | pl.Series) -> npt.NDArray[np.int64]:
    series = times if isinstance(times, pl.Series) else pl.Series(times, dtype=_UTC_TIME)
    return series.cast(_UTC_TIME).to_physical().to_numpy()


def _event(
    state: StreamState, seen: int, time: datetime, width: int, before: float, after: float
) -> DriftEvent:
    identity = f"{state.stream}:{state.position + seen}"
    return DriftEvent(
        event_id=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
        stream=state.stream,
        method=METHOD,
        detected_at=time.astimezone(UTC),
        width=width,
        before_mean=before,
        after_mean=after,
        action=RECORDED,
    )
