"""A freeze: for a while no trained model takes the champion's place by itself.

What a model is measured on may be what went wrong: a broken client, a flood of made-up events. So
monitoring can ask that the gate promotes nothing until the time is over or a person says so.
Trainings go on, and what they would have done is kept with their versions. Going back to an earlier
champion is always possible.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final

from feedback_platform.errors import InvalidInputError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning import champions, registry

# Those behind the newest are history.
_KEPT: Final = 50


@dataclass(frozen=True)
class Freeze:
    """A stretch of time in which a model is not promoted.

    Attributes:
        cause: what asked for it, such as the id of a drift event; each cause freezes once.
        since, until: UTC.
        reason: a sentence.
        ended_at: when a person ended it before its time (UTC), or None.
        ended_because: why, or nothing.
    """

    cause: str
    since: datetime
    until: datetime
    reason: str
    ended_at: datetime | None = None
    ended_because: str = ""

    def stands(self, now: datetime) -> bool:
        """Return whether nothing is promoted at a time because of it."""
        return self.ended_at is None and now < self.until

    def __str__(self) -> str:
        return (
            f"Promotion is frozen from {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} "
            f"UTC: {self.reason}"
        )


class PromotionFrozenError(InvalidInputError):
    """A model is not promoted now."""

    def __init__(self, model: str, freeze: Freeze) -> None:
        super().__init__(
            f"The model {model} is not promoted now. {freeze} If you know better, run "
            f"`feedback-platform models unfreeze {model} --reason …` first; a rollback needs none."
        )


def freezes(lake: Lake, name: str) -> list[Freeze]:
    """Return the freezes of a model, the newest last."""
    content = lake.find(keys.model_freezes(name))
    if content is None:
        return []
    return [
        Freeze(
            cause=entry["cause"],
            since=datetime.fromisoformat(entry["since"]),
            until=datetime.fromisoformat(entry["until"]),
            reason=entry["reason"],
            ended_at=datetime.fromisoformat(entry["ended_at"]) if entry["ended_at"] else None,
            ended_because=entry["ended_because"],
        )
        for entry in json.loads(content)["freezes"]
    ]


def freeze(lake: Lake, name: str, wanted: Freeze) -> bool:
    """Freeze a model; return whether this cause had not done so before."""
    known = freezes(lake, name)
    if any(each.cause == wanted.cause for each in known):
        return False
    _save(lake, name, [*known, wanted])
    return True


def unfreeze(lake: Lake, name: str, *, at: datetime, reason: str) -> list[Freeze]:
    """End what stands, and return it.

    Args:
        lake: where.
        name: of the model.
        at: now (UTC).
        reason: kept beside it.
    """
    known = freezes(lake, name)
    ended = [
        replace(each, ended_at=at.astimezone(UTC), ended_because=reason)
        if each.stands(at)
        else each
        for each in known
    ]
    stood = [each for each in known if each.stands(at)]
    if stood:
        _save(lake, name, ended)
    return stood


def standing(lake: Lake, name: str, now: datetime) -> Freeze | None:
    """Return the freeze that stands for longest, or None."""
    found = [each for each in freezes(lake, name) if each.stands(now)]
    return max(found, key=lambda each: each.until, default=None)


def refuse_while_frozen(lake: Lake, name: str, version: str, now: datetime) -> None:
    """Let nobody promote another version of a model while it is frozen.

    Raises:
        PromotionFrozenError: it is.
    """
    found = standing(lake, name, now)
    promotions = champions.history(lake, name) if found is not None else []
    is_champion = bool(promotions) and promotions[-1].version == version
    if found is not None and not is_champion:
        raise PromotionFrozenError(name, found)


def _save(lake: Lake, name: str, known: list[Freeze]) -> None:
    content = registry.to_json({"freezes": [asdict(each) for each in known[-_KEPT:]]})
    lake.put(keys.model_freezes(name), content, mode="overwrite")
