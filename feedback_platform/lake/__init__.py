"""Object storage: where everything that must not be lost is kept.

`store` talks to a directory, S3 or GCS; `keys` knows the layout; `raw` writes and reads what the
ways in receive; `batches` is the ledger of what has been cleaned.
"""
