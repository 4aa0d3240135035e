#!/usr/bin/env bash
# Starts everything that compose.yaml has, sends one event, and waits until it can be read.
set -euo pipefail
cd "$(dirname "$0")"

secret() { python3 -c 'import secrets; print(secrets.token_urlsafe(32))'; }
key=$(secret)
export POSTGRES_PASSWORD S3_ACCESS_KEY=smoke S3_SECRET_KEY FEEDBACK_WRITE_KEYS FEEDBACK_API_KEYS
POSTGRES_PASSWORD=$(secret) S3_SECRET_KEY=$(secret)
FEEDBACK_WRITE_KEYS="smoke:$key" FEEDBACK_API_KEYS="smoke:$(secret)"

compose() { docker compose --file compose.yaml --project-name feedback-smoke "$@"; }
finish() {
  code=$?
  if ((code)); then compose logs --tail 100; fi
  compose down --volumes --timeout 60
  exit "$code"
}
trap finish EXIT

compose up --no-build --detach --wait --wait-timeout 600
curl --fail --silent --show-error --user "$key:" --header 'Content-Type: application/json' \
  --data '{"type": "track", "event": "Product Viewed", "userId": "user-1", "messageId": "smoke-1",
           "properties": {"product_id": "item-1"}}' \
  http://127.0.0.1:8000/v1/track

query='select count(*) as rows from interaction.interactions'
for _ in $(seq 60); do
  rows=$(compose exec -T api python -c "
from pathlib import Path
from feedback_platform.warehouse.published import query
print(query(Path('/data/published/feedback.duckdb'), '''$query''')['rows'].item())" 2>/dev/null || true)
  if [[ $rows == 1 ]]; then
    echo "The event was published."
    exit 0
  fi
  sleep 5
done
echo "The event was not published within five minutes." >&2
exit 1
