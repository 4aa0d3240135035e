"""The flags as trigger rules see them: a variant that everybody gets, and a switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from feedback_platform.adjustment.flags.changes import with_default
from feedback_platform.adjustment.flags.definition import Flag
from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.adjustment.rules.changes import CannotChangeError
from feedback_platform.errors import InvalidInputError


class StoredFlags:
    """Switches a flag's default variant; what its own rules give to some stays as it is.

    Args:
        flags: of the installation.
        clock: returns now (UTC).
    """

    def __init__(self, flags: Flags, clock: Callable[[], datetime]) -> None:
        self._flags = flags
        self._clock = clock

    def read(self, flag: str) -> str | None:
        """Return the default variant; None where there is no such flag, or it is disabled."""
        found = self._flags.refresh().flags.get(flag)
        return None if found is None or not found.flag.is_enabled else found.flag.default

    def has_switched(self, flag: str, variant: str, *, who: str) -> bool:
        """Return whether somebody has ever made a variant the default."""
        return any(
            each.author.by == who and (each.change.after or {}).get("default") == variant
            for each in self._flags.history(flag)
        )

    def switch(self, flag: str, variant: str, *, who: str, why: str, expected: str) -> str:
        """Make a variant the default, provided that the default is as expected.

        Raises:
            CannotChangeError: there is no such flag or variant, the flag is not as expected, or
                its history keeps no such author or reason.
        """

        def decide(flags: Mapping[str, Flag]) -> Mapping[str, Flag | None]:
            found = flags.get(flag)
            if found is None or not found.is_enabled:
                raise CannotChangeError(f"There is no enabled flag {flag!r}.")
            if found.default != expected:
                raise CannotChangeError(
                    f"The flag {flag!r} is {found.default!r} and not {expected!r}: "
                    "somebody else switched it."
                )
            return {flag: with_default(found, variant)}

        try:
            self._flags.change(decide, Author(who, why, self._clock()))
        except InvalidInputError as error:
            raise CannotChangeError(str(error)) from error
        return expected
