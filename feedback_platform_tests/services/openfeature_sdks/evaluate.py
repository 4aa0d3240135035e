"""Evaluates the flags of a file with openfeature-sdk and its OFREP provider, as from PyPI.

python evaluate.py ASKED HOST KEY
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def main(file: str, host: str, key: str) -> int:
    asked: dict[str, Any] = json.loads(Path(file).read_text())
    api.set_provider(OFREPProvider(host, headers_factory=lambda: {"X-API-Key": key}))
    client = api.get_client()
    attributes = dict(asked["context"])
    context = EvaluationContext(attributes.pop("targetingKey", None), attributes)
    found = {}
    for each in asked["flags"]:
        ask = getattr(client, f"get_{each['type'].lower()}_details")
        details = ask(each["flag"], each["fallback"], context)
        found[each["flag"]] = {
            "value": details.value,
            "reason": details.reason,
            "variant": details.variant,
            "errorCode": details.error_code,
            "metadata": dict(details.flag_metadata),
        }
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
