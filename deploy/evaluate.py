"""Train on a small simulated product; the exit code is 1 unless the gate promotes the model.

Example: python deploy/evaluate.py

The figures are printed as a table of Markdown. A change that learns nothing any more is found here,
before it is released; what a release does with real data, each installation's own gate decides.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

# That the planted groups are found again tells of the segments, which the gate does not judge.
LEAST_INDEX = 0.6
COMMAND = (sys.executable, "-m", "feedback_platform", "demo", "--json")
PRODUCT = ("--users", "500", "--days", "14", "--seed", "1")
SHOWN = (
    "model_version",
    "promoted",
    "reason",
    "ndcg_at_10",
    "popularity_ndcg_at_10",
    "evaluated_users",
    "segments",
    "adjusted_rand_index",
)

with tempfile.TemporaryDirectory() as directory:
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *PRODUCT, "--data-dir", directory], check=True, stdout=subprocess.PIPE
    )
outcome = json.loads(done.stdout)
rows = [f"| {name} | {outcome[name]} |" for name in SHOWN]
sys.stdout.write("\n".join(["| of the model | |", "|---|---|", *rows, ""]))
if not outcome["promoted"]:
    sys.exit(f"The gate refused the model: {outcome['reason']}")
if outcome["adjusted_rand_index"] < LEAST_INDEX:
    sys.exit(f"The planted groups were not found again: below {LEAST_INDEX}.")
