"""Which version of a model is in use, which were before, and which were refused.

A promotion counts as soon as it is written, and all at once: a crash leaves the old champion or the
new one. Of two that promote in the same moment, the second decides upon what the first did. A
rejection is an object beside the version.

What is served is the champion, or, when a file of it is missing or has changed, or its ranker is of
a release with other features, the newest champion before it that can be used. That moves nothing:
once the files are back, so is the champion.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import NamedTuple

from feedback_platform.errors import InvalidInputError, LakeObjectExistsError
from feedback_platform.lake import keys
from feedback_platform.lake.store import Lake
from feedback_platform.learning import registry
from feedback_platform.learning.model_version import ModelUnusableError, ModelVersion
from feedback_platform.learning.promotions import (
    Forgotten,
    Promotion,
    decide,
    read_promotions,
)
from feedback_platform.learning.ranker_file import read_ranker


class ChampionChangedError(InvalidInputError):
    """Another version is the champion than the one that was to be replaced."""

    def __init__(self, name: str, champion: str, expected: str) -> None:
        is_there = f"is {champion}" if champion else "is gone"
        was = f"not {expected}" if expected else "there was none"
        super().__init__(
            f"The champion of the model {name} {is_there} and {was}: another was promoted."
        )


@dataclass(frozen=True)
class InUse:
    """What is served of a model.

    Attributes:
        version: the champion, or the newest one before it that is intact; None for neither.
        unusable: champions that should come first but cannot be used: version → what is wrong.
    """

    version: ModelVersion | None
    unusable: dict[str, str]

    @property
    def warning(self) -> str | None:
        """What a person should know; None when the champion is in use, or there is none yet."""
        if not self.unusable:
            return None
        problems = " ".join(
            f"{version} is unusable: {why}." for version, why in self.unusable.items()
        )
        if self.version is None:
            return f"{problems} No champion before is intact: promote a version, or train."
        return f"{problems} In use instead is {self.version.version}, the last good one."


def history(lake: Lake, name: str) -> list[Promotion]:
    """Return the promotions so far, the champion's last.

    Raises:
        ModelUnusableError: the pointer to the champion, or a promotion after it, is damaged.
    """
    return read_promotions(lake, name)


def in_use(lake: Lake, name: str) -> InUse:
    """Return the version that is served; every file of it was looked at.

    Raises:
        ModelUnusableError: the pointer to the champion is damaged.
    """
    unusable: dict[str, str] = {}
    for version in _order_of_use([entry.version for entry in history(lake, name)]):
        try:
            return InUse(read_usable(lake, name, version), unusable)
        except ModelUnusableError as error:
            unusable[version] = error.problem
    return InUse(None, unusable)


def read_usable(lake: Lake, name: str, version: str) -> ModelVersion:
    """Return what is known of a version whose files are whole, and mean something today.

    Raises:
        ModelUnusableError: a file is missing, has changed, or is of a release with other features.
    """
    found = registry.read_intact(lake, name, version)
    read_ranker(lake, found)
    return found


def champion(lake: Lake, name: str) -> ModelVersion | None:
    """Return the version that was promoted last, or None before the first promotion.

    Raises:
        ModelUnusableError: the pointer is damaged, or names a version that is not complete.
    """
    promotions = history(lake, name)
    return registry.read_version(lake, name, promotions[-1].version) if promotions else None


def promote(
    lake: Lake,
    name: str,
    version: str,
    *,
    at: datetime,
    reason: str,
    left: str = "",
    instead_of: str | None = None,
) -> bool:
    """Make a version the champion; the one before it retires.

    Every file is checked first. Promoting the champion again changes nothing.

    Args:
        lake: where.
        name: of the model.
        version: which one.
        at: now (UTC).
        reason: shown beside the version.
        left: the version that is rolled back from, if this is a rollback.
        instead_of: the champion that it was decided about, empty where there was none; None
            replaces whichever it is.

    Returns:
        Whether it was another version that was the champion before.

    Raises:
        InvalidInputError: there is no such version.
        ChampionChangedError: another is the champion than the one that it was decided about.
        ModelUnusableError: the version has lost a file, one has changed, or this release cannot
            read its ranker.
        LakeUnavailableError: the store failed; the champion is the old one or the new one.
    """
    check_known(lake, name, version)
    read_usable(lake, name, version)

    def upon(promotions: list[Promotion]) -> tuple[bool, Promotion | None]:
        current = promotions[-1].version if promotions else ""
        if current == version:
            return False, None
        if instead_of is not None and current != instead_of:
            raise ChampionChangedError(name, current, instead_of)
        return True, Promotion(version, at.astimezone(UTC), reason, left)

    return decide(lake, name, upon)


class Rollback(NamedTuple):
    """What a rollback would do at this moment.

    Attributes:
        champion: in whose place the other one comes.
        before: the newest intact champion before it; the champion itself where nothing is to do.
    """

    champion: str
    before: str


def planned_rollback(lake: Lake, name: str, version: str = "") -> Rollback:
    """Return what a rollback leads to: the newest intact champion before a version.

    What came after its first promotion is passed over, so a rollback after a rollback leads
    further back and not forth again.

    Args:
        lake: where.
        name: of the model.
        version: to roll back from; the champion when left out. When that is not the champion any
            more, the rollback was made already, and the answer is the champion.

    Raises:
        InvalidInputError: there is no champion, or none before it that can be used.
    """
    promotions = history(lake, name)
    before = _before_champion(lake, name, promotions, version)
    return Rollback(promotions[-1].version, before)


def roll_back(
    lake: Lake, name: str, *, at: datetime, reason: str, leaving: str = "", request: str = ""
) -> tuple[str, bool]:
    """Make the champion before this one the champion again; see `planned_rollback`.

    Args:
        lake: where.
        name: of the model.
        at: now (UTC).
        reason: shown beside the version.
        leaving: roll back from this version only; a rollback from it that was made stays as it is.
        request: the run that asks for it; when it is tried again, it does not lead further back.

    Returns:
        The champion, and whether it was another version before.

    Raises:
        InvalidInputError: there is none before that can be used.
        LakeUnavailableError: the store failed; the champion is the old one or the new one.
    """

    def upon(promotions: list[Promotion]) -> tuple[tuple[str, bool], Promotion | None]:
        if request and promotions and promotions[-1].request == request:
            return (promotions[-1].version, False), None
        version = _before_champion(lake, name, promotions, leaving)
        left = promotions[-1].version
        if version == left:
            return (version, False), None
        why = f"Rolled back from {left}: {reason}"
        return (version, True), Promotion(version, at.astimezone(UTC), why, left, request)

    return decide(lake, name, upon)


def reject(lake: Lake, name: str, version: str, *, at: datetime, reason: str) -> None:
    """Record that a candidate is not to be used; a rejection that is there already stays.

    Raises:
        InvalidInputError: the version is or was the champion.
        ModelUnusableError: the version is not complete.
    """
    registry.read_version(lake, name, version)
    if any(entry.version == version for entry in history(lake, name)):
        raise InvalidInputError(
            f"Version {version} of the model {name} is or was the champion; "
            "promote another version instead of rejecting it."
        )
    content = registry.to_json({"at": at.astimezone(UTC), "reason": reason})
    try:
        key = keys.model_file(name, version, registry.REJECTION_FILE)
        lake.put(key, content, mode="create")
    except LakeObjectExistsError:
        return


def forget(lake: Lake, name: str, version: str) -> None:
    """Strike a version out of the history: it is about to be deleted, for who is erased from it."""

    def upon(promotions: list[Promotion]) -> tuple[None, Forgotten | None]:
        is_known = any(entry.version == version for entry in promotions)
        return None, Forgotten(version) if is_known else None

    decide(lake, name, upon)


def check_known(lake: Lake, name: str, version: str) -> None:
    """Check that a version was registered.

    Raises:
        InvalidInputError: it was not; the text names the one that was probably meant.
    """
    known = registry.version_ids(lake, name)
    if version in known:
        return
    close = get_close_matches(version, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    raise InvalidInputError(
        f"The model {name} has no version {version!r}{meant} "
        f"`feedback-platform models list --model {name}` shows those there are."
    )


def _before_champion(lake: Lake, name: str, known: list[Promotion], version: str) -> str:
    promotions = [entry.version for entry in known]
    if not promotions:
        raise InvalidInputError(
            f"The model {name} has no champion to roll back from. "
            "Train one with `feedback-platform train`."
        )
    leaving = version or promotions[-1]
    if leaving not in promotions:
        raise InvalidInputError(
            f"{leaving} was never the champion of the model {name}; the champion is "
            f"{promotions[-1]}. Roll back from that, or leave --from out."
        )
    if leaving != promotions[-1]:
        return promotions[-1]
    for candidate in _before(promotions, leaving):
        if _is_intact(lake, name, candidate):
            return candidate
    raise InvalidInputError(
        f"The model {name} has no intact champion before {leaving}. Promote a version with "
        f"`feedback-platform models promote {name} VERSION --reason …`; "
        f"`feedback-platform models list --model {name}` shows them."
    )


def _before(promotions: list[str], version: str) -> list[str]:
    """Return the champions before the first promotion of a version, each once, newest first."""
    return list(dict.fromkeys(reversed(promotions[: promotions.index(version)])))


def _order_of_use(promotions: list[str]) -> list[str]:
    """Return the champion, then those to fall back on; last those that were rolled back from."""
    if not promotions:
        return []
    current = promotions[-1]
    return list(dict.fromkeys([current, *_before(promotions, current), *reversed(promotions)]))


def _is_intact(lake: Lake, name: str, version: str) -> bool:
    try:
        read_usable(lake, name, version)
    except ModelUnusableError:
        return False
    return True
