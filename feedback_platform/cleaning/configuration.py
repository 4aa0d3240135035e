"""The cleaning rules as a person chose them: what `signals.toml`, or a file in its place, says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Final

from feedback_platform.cleaning.rules_file import read_rules_file
from feedback_platform.events import columns as c
from feedback_platform.text_file import read_text_file

# Where a value is that no category has, and where one that was not said.
OTHER: Final = "other"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class SignalRules:
    """What cleaning does to one signal; see `signals.toml` for the meaning of each field.

    Attributes:
        impute: a method, or the constant itself.
        outlier_limit: in units of the method's spread; 0 when there is no method.
        outlier_treatment: `exclude` or `cap`.
        minimum, maximum: bounds of min-max normalisation, None to take the reference's.
    """

    signal: str
    event_type: str
    scale: str = "linear"
    impute: str | float = "none"
    outlier_method: str = "none"
    outlier_limit: float = 0.0
    normalisation: str = "none"
    minimum: float | None = None
    maximum: float | None = None
    outlier_treatment: str = "exclude"


@dataclass(frozen=True)
class Encoding:
    """The categories of one field.

    Attributes:
        field: whose values are told apart.
        categories: (category, the lower-case words that mean it) pairs.
    """

    field: str
    categories: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every category a row may have: those that were chosen, `other` and `unknown`."""
        return (*(name for name, _ in self.categories), OTHER, UNKNOWN)


@dataclass(frozen=True)
class CleaningRules:
    """All rules of one installation.

    Attributes:
        signals: one for each feedback signal.
        encodings: one for each field that is encoded.
        bots: (name of the rule, parts of a user agent that give a program away) pairs.
    """

    signals: tuple[SignalRules, ...]
    encodings: tuple[Encoding, ...]
    bots: tuple[tuple[str, tuple[str, ...]], ...]

    @cached_property
    def content(self) -> str:
        """The rules as JSON, the same for the same rules however they are written."""
        return json.dumps(asdict(self), sort_keys=True, indent=1)

    @cached_property
    def version(self) -> str:
        """What each cleaned row carries: a digest of the rules that made it."""
        return hashlib.sha256(self.content.encode()).hexdigest()[:12]

    @property
    def devices(self) -> Encoding:
        """The categories of devices, by which statistics are fitted."""
        return next(known for known in self.encodings if known.field == c.DEVICE_TYPE)


@cache
def default_rules() -> CleaningRules:
    """Return the rules that ship with the platform."""
    return parse_rules(_shipped(), origin="signals.toml")


def load_rules(path: Path | None) -> CleaningRules:
    """Read and check the rules of this installation.

    Args:
        path: of the user's file (`FEEDBACK_CLEANING_RULES`), or None for the rules that ship.

    Raises:
        InvalidInputError: the file cannot be read, or a rule is not one that cleaning knows; the
            text names the file, the table, the key and what is accepted.
    """
    if path is None:
        return default_rules()
    text = read_text_file(path, "The cleaning rules", "FEEDBACK_CLEANING_RULES names a TOML file")
    return parse_rules(text, origin=str(path))


def parse_rules(text: str, *, origin: str) -> CleaningRules:
    """Read rules from TOML; a part that it leaves out is as shipped.

    Args:
        text: the file's content.
        origin: its name, for the error.

    Raises:
        InvalidInputError: the text is not TOML, or a rule is not one that cleaning knows.
    """
    parts = read_rules_file(_shipped(), origin="signals.toml")
    parts |= read_rules_file(text, origin=origin)
    return CleaningRules(
        signals=tuple(SignalRules(**known) for known in parts["signals"]),
        encodings=tuple(Encoding(field, known) for field, known in parts["encodings"]),
        bots=parts["bots"],
    )


@cache
def _shipped() -> str:
    return files("feedback_platform.cleaning").joinpath("signals.toml").read_text("utf-8")
