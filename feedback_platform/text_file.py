"""Reading a file that a person wrote."""

from __future__ import annotations

from pathlib import Path

from feedback_platform.errors import InvalidInputError


def read_text_file(path: Path, subject: str, advice: str) -> str:
    """Return the text of a file.

    Args:
        path: of the file.
        subject: what it is, for the error: `The event mapping`.
        advice: what to do, a clause for the error.

    Raises:
        InvalidInputError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInputError(f"{subject} {path} cannot be read ({reason}); {advice}.") from error
