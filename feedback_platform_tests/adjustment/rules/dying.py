"""A process that evaluates a breach and is killed: `python -m … DIRECTORY before|after`."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from feedback_platform.adjustment.rules.adjusting import Adjuster
from feedback_platform.adjustment.rules.changes import FlagChanger
from feedback_platform.adjustment.rules.definition import Kind
from feedback_platform.adjustment.rules.ledger import Ledger
from feedback_platform.lake.store import Lake
from feedback_platform_tests.adjustment.rules.switches import (
    NOON,
    FileFlags,
    observed,
    rule,
    sample,
)


class DeadlyFlags(FileFlags):
    """Flags whose switching the process does not survive."""

    def __init__(self, path: Path, moment: str) -> None:
        super().__init__(path)
        self._moment = moment

    def switch(self, flag: str, variant: str, *, who: str, why: str, expected: str) -> str:
        if self._moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        before = super().switch(flag, variant, who=who, why=why, expected=expected)
        if self._moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return before


def evaluate(directory: Path, moment: str = "never") -> Ledger:
    """Finish what is unfinished, and hold a breach against a rule."""
    ledger = Ledger(Lake((directory / "lake").as_uri()))
    flags = FlagChanger(DeadlyFlags(directory / "flags.json", moment))
    adjuster = Adjuster(ledger, {Kind.FLAG: flags}, lambda: NOON + timedelta(minutes=1))
    adjuster.finish()
    adjuster.act(observed([(rule(), sample(20, 1000))], ledger.book))
    return ledger


if __name__ == "__main__":
    evaluate(Path(sys.argv[1]), sys.argv[2])
