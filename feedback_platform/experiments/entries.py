"""What can stand in the log of experiments: one was started, one was stopped, a variant shipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.experiments.definition import Experiment, HoldOut
from feedback_platform.experiments.definition_table import as_table, holdout_as_table
from feedback_platform.experiments.definitions_file import parse_experiment, parse_holdout

# Why one ended that a person ended, whatever its figures say.
STOPPED: Final = "stopped"


@dataclass(frozen=True)
class Started:
    """An experiment runs from now on, as it is defined here: what a file says later is another.

    Attributes:
        experiment: the whole definition, its seed with it.
        holdout: who takes part in none, as it was then.
        author: who, why, and when by the clock.
        at: from when on exposures count, by the time of the events (UTC).
    """

    experiment: Experiment
    holdout: HoldOut
    author: Author
    at: datetime

    @property
    def key(self) -> str:
        """Of the experiment."""
        return self.experiment.key

    @property
    def ends_at(self) -> datetime:
        """When its horizon is over (UTC)."""
        return self.at + self.experiment.design.horizon


@dataclass(frozen=True)
class Stopped:
    """An experiment is over: nobody is assigned any more.

    Attributes:
        key: of the experiment.
        decision: what its figures said, a `decision.Verdict`, or `STOPPED`.
        author: who, why, and when by the clock.
        at: until when exposures count, by the time of the events (UTC).
        shipped: the variant that everybody gets from now on; nothing where that is left open.
    """

    key: str
    decision: str
    author: Author
    at: datetime
    shipped: str = ""


@dataclass(frozen=True)
class Shipped:
    """Everybody gets a variant of an experiment that was over before.

    Attributes:
        key: of the experiment.
        variant: which.
        author: who, why, and when by the clock.
    """

    key: str
    variant: str
    author: Author


Entry = Started | Stopped | Shipped


def to_bytes(entry: Entry) -> bytes:
    """Return an entry as the lake keeps it."""
    author = entry.author
    record: dict[str, Any] = {
        "kind": type(entry).__name__.lower(),
        "key": entry.key,
        "by": author.by,
        "reason": author.reason,
        "written_at": _text(author.at),
    }
    if isinstance(entry, Started):
        record |= {
            "at": _text(entry.at),
            "experiment": as_table(entry.experiment),
            "holdout": holdout_as_table(entry.holdout),
        }
    elif isinstance(entry, Stopped):
        record |= {"at": _text(entry.at), "decision": entry.decision, "shipped": entry.shipped}
    else:
        record["variant"] = entry.variant
    return orjson.dumps(record)


def from_bytes(content: bytes, *, origin: str) -> Entry:
    """Return the entry that was kept.

    Args:
        content: what `to_bytes` made.
        origin: its name, for the error.

    Raises:
        ValueError, TypeError, KeyError, AttributeError, InvalidInputError: it is damaged.
    """
    record: Mapping[str, Any] = orjson.loads(content)
    kind, key = record["kind"], str(record["key"])
    author = Author(record["by"], record["reason"], _time(record["written_at"]))
    if kind == "started":
        experiment = parse_experiment(key, record["experiment"], origin=origin)
        holdout = parse_holdout(record["holdout"], origin=origin)
        return Started(experiment, holdout, author, _time(record["at"]))
    if kind == "stopped":
        decision, shipped = str(record["decision"]), str(record["shipped"])
        return Stopped(key, decision, author, _time(record["at"]), shipped)
    if kind == "shipped":
        return Shipped(key, str(record["variant"]), author)
    raise ValueError(f"its kind is {kind!r}")


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("its time has no zone")
    return time
