"""Which code trained a model, as far as it decides what the model becomes.

A commit would need a checkout, and would not know of an edit that nobody committed. A digest of
the sources is the same in a checkout and in an installed package, and tells when to expect the
same model: for equal data, parameters and code version.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final

from feedback_platform import __version__

# What the numbers of a model depend on, beside the sources of this package.
_LIBRARIES: Final = ("lightgbm", "numpy", "polars", "rectools-lightfm", "scikit-learn", "scipy")


@cache
def code_version() -> str:
    """Return the release, `+`, and a digest of the learning sources and of their libraries."""
    digest = hashlib.sha256()
    sources = list(files("feedback_platform.learning").iterdir())
    for path in sorted(sources, key=lambda path: path.name):
        if path.name.endswith((".py", ".toml")):
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    for library in _LIBRARIES:
        digest.update(f"{library}=={version(library)}\0".encode())
    return f"{__version__}+{digest.hexdigest()[:12]}"
