"""Who changes something from the command line."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

from feedback_platform.adjustment.flags.entries import Author
from feedback_platform.errors import InvalidInputError


def author_of(by: str | None, reason: str) -> Author:
    """Return who does it, why, and that it is now.

    Args:
        by: as given, such as `rule:low-ctr`; None for the person who is logged in.
        reason: why.

    Raises:
        InvalidInputError: nobody is logged in by a name, or there is no reason.
    """
    return Author(by or f"person:{_login()}", reason, datetime.now(UTC))


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise InvalidInputError(
            "Nobody is logged in by a name; say who it is, such as --by person:ada."
        ) from error
