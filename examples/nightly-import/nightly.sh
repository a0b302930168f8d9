#!/bin/sh
# Triggers tonight's import. cron runs it:
#   0 2 * * * /opt/imports/nightly.sh
# The key makes it safe to run twice: the second trigger of a day answers with the first one's run.
curl --silent --show-error --fail --retry 5 --retry-connrefused -X POST \
  "${DURABLY_URL:-http://localhost:3000}/api/durably/trigger" \
  -d "{\"jobName\": \"nightly-import\", \"input\": {\"file\": \"data/prices.csv\"}, \"idempotencyKey\": \"import-$(date +%F)\"}"
