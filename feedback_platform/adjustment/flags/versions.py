"""Versions of programs in the order of semver.org: 2.9.0 is before 2.10.0, and betas before both.

Parts that are left out are zero, since not every program has three.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# Numbers; whether it is a release; what it is a candidate of, each part with its kind before it.
Version = tuple[tuple[int, int, int], bool, tuple[tuple[int, int, str], ...]]

# What is longer is none, and is not kept by the cache.
LONGEST: Final = 200
_VERSION: Final = re.compile(
    r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?"
    r"(?:-([0-9A-Za-z-]{1,40}(?:\.[0-9A-Za-z-]{1,40}){0,9}))?(?:\+[0-9A-Za-z.-]{1,100})?",
    re.ASCII,
)


@lru_cache(maxsize=1024)
def parse_version(text: str) -> Version | None:
    """Return a version that compares as semver says, None for a text that is none."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    major, minor, patch = (int(found[group] or 0) for group in (1, 2, 3))
    parts = found[4].split(".") if found[4] else []
    candidate = tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)
    return (major, minor, patch), not parts, candidate
