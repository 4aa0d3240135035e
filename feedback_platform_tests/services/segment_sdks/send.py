"""Makes the calls of a file with segment-analytics-python, as it comes from PyPI.

python send.py CALLS HOST WRITE_KEY plain|gzip
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from segment.analytics.client import Client


def main(file: str, host: str, write_key: str, encoding: str) -> int:
    failed: list[Any] = []
    calls = json.loads(Path(file).read_text())
    client = Client(
        write_key,
        host=host,
        gzip=encoding == "gzip",
        max_queue_size=len(calls),
        on_error=lambda error, batch: failed.append((error, len(batch))),
    )
    for call in calls:
        method = getattr(client, call.pop("method"))
        taken, _ = method(**{_snake_case(name): value for name, value in call.items()})
        if not taken:
            failed.append(call)
    client.shutdown()
    sys.stdout.write(f"{len(calls)} sent, failed: {failed}\n")
    return 1 if failed else 0


def _snake_case(name: str) -> str:
    return re.sub("([A-Z])", r"_\1", name).lower()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
