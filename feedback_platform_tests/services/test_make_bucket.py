"""The bucket that compose makes, on the S3 server that compose has."""

from __future__ import annotations

import os
import subprocess
import sys

from feedback_platform.settings import PROJECT_DIR
from feedback_platform_tests.services.s3_server import s3_variables


def test_a_bucket_is_made_once_and_then_left_alone(s3_endpoint: str) -> None:
    command = [sys.executable, str(PROJECT_DIR / "deploy" / "make_bucket.py"), "of-compose"]
    environment = {**os.environ, **s3_variables(s3_endpoint), "AWS_REGION": "us-east-1"}

    said = [
        subprocess.run(
            command, check=True, env=environment, capture_output=True, text=True
        ).stdout.strip()
        for _ in range(2)
    ]

    assert said == ["The bucket of-compose is made.", "The bucket of-compose is there."]
