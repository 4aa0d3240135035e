"""Whether a server of this container answers: the exit code is 0 when it does.

Example: python healthy.py http://127.0.0.1:8000/readyz

No container needs curl for it.
"""

from __future__ import annotations

import sys
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import urlopen

try:
    with urlopen(sys.argv[1], timeout=4) as response:  # noqa: S310 - of this container
        sys.exit(0 if response.status < 400 else 1)  # noqa: PLR2004 - where errors begin
except (URLError, OSError, HTTPException) as error:
    sys.exit(f"{sys.argv[1]}: {error}")
