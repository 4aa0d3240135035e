"""Whatever is killed of `feedback-platform dev` under load: the outcome is that of a quiet day."""

from __future__ import annotations

import os
import random
from pathlib import Path

from feedback_platform_tests.services.killed_platform import survive

# Of kills; starting, draining and comparing take twice as long. Whoever wants ten minutes says 600.
SECONDS = float(os.environ.get("FEEDBACK_TEST_KILL_SECONDS", "45"))
SEED = int(os.environ.get("FEEDBACK_TEST_KILL_SEED") or random.SystemRandom().randrange(1_000_000))


def test_kills_at_random_end_in_what_an_undisturbed_run_makes(tmp_path: Path) -> None:
    # The seed is printed first: FEEDBACK_TEST_KILL_SEED repeats it.
    survive(tmp_path, seconds=SECONDS, seed=SEED)
