"""Make a bucket where there is none, by AWS's own variables.

Example: python make_bucket.py feedback
"""

from __future__ import annotations

import sys

import boto3
from botocore.exceptions import ClientError

name = sys.argv[1]
client = boto3.client("s3")
try:
    client.create_bucket(Bucket=name)
    sys.stdout.write(f"The bucket {name} is made.\n")
except ClientError as error:
    if error.response["Error"]["Code"] not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
        raise
    # Somebody else's would refuse this.
    client.head_bucket(Bucket=name)
    sys.stdout.write(f"The bucket {name} is there.\n")
