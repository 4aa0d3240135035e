from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_platform.adjustment.rules.ledger import adjustments_table
from feedback_platform_tests.adjustment.rules.dying import evaluate
from feedback_platform_tests.adjustment.rules.switches import FileFlags

DYING = "feedback_platform_tests.adjustment.rules.dying"


@pytest.mark.parametrize(("moment", "variant"), [("before", "grid"), ("after", "list")])
def test_a_process_killed_as_it_switches_a_flag_is_finished_by_the_next_one(
    tmp_path: Path, moment: str, variant: str
) -> None:
    flags = FileFlags(tmp_path / "flags.json")
    flags.write({"layout-home": "grid"})

    killed = subprocess.run([sys.executable, "-m", DYING, str(tmp_path), moment], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert flags.read("layout-home") == variant
    ledger = evaluate(tmp_path)
    assert flags.read("layout-home") == "list"
    assert adjustments_table(ledger.book)["status"].to_list() == ["applied"]
    assert len(ledger.book.adjustments) == 1
