#!/bin/sh
# SPDX-License-Identifier: MIT
# A hook that posts each change as JSON to a URL; lvsd has no webhooks of its own:
#   hooks: { up: [/usr/local/lib/lvsd/webhook.sh, https://alerts.example/lvsd], down: [...], quorum: [...], timeout: 60s }
# Tries five times within about 30 s; after that the hook fails, which lvsd logs and counts. docs/health.md has the variables.
set -eu
url="${1:?the URL}"

# A JSON string of the value of a variable.
quote() {
  printf '%s' "$1" | awk '
    BEGIN { for (i = 1; i < 32; i++) code[sprintf("%c", i)] = sprintf("\\u%04x", i); printf "\"" }
    NR > 1 { printf "\\n" }
    {
      for (i = 1; i <= length($0); i++) {
        c = substr($0, i, 1)
        if (c == "\"" || c == "\\") c = "\\" c
        else if (c in code) c = code[c]
        printf "%s", c
      }
    }
    END { printf "\"" }'
}

body="{\"event\":$(quote "${LVSD_EVENT:-}"),\"state\":$(quote "${LVSD_STATE:-}"),\"service\":$(quote "${LVSD_SERVICE:-}")"
body="$body,\"virtual\":$(quote "${LVSD_VIRTUAL:-}"),\"reason\":$(quote "${LVSD_REASON:-}"),\"time\":$(quote "${LVSD_TIME:-}")"
if [ -n "${LVSD_SERVER:-}" ]; then
  body="$body,\"server\":$(quote "$LVSD_SERVER"),\"address\":$(quote "${LVSD_ADDRESS:-}"),\"port\":$(quote "${LVSD_PORT:-}")"
fi
body="$body,\"skipped\":${LVSD_SKIPPED:-0},\"node\":$(quote "$(uname -n)")}"

printf '%s' "$body" | curl --silent --show-error --fail --max-time 10 --retry 4 --retry-delay 2 --retry-all-errors \
  --header 'Content-Type: application/json' --data-binary @- -- "$url" > /dev/null
