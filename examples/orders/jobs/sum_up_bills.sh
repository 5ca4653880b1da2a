#!/bin/sh
# Sums up the bills that a manifest lists: {"manifest": KEY}. The job runs in the example's folder.
set -eu
LC_ALL=C
export LC_ALL
manifest=$(sed -n 's/.*"manifest":"\([^"\\]*\)".*/\1/p')
[ -f "bills/$manifest" ] || {
    printf '::error Orders.NoManifest there is no bills/%s\n' "$manifest" >&2
    exit 1
}

# The files of one kind that the manifest lists, one in a line.
files() {
    tr -d '\n' <"bills/$manifest" | sed 's/.*"'"$1"'":\[\([^]]*\)\].*/\1/' |
        tr '}' '\n' | sed -n 's/.*"Key":"\([^"]*\)".*/\1/p'
}

# What one kind of file holds, with a line for each bill.
records() {
    files "$1" | while read -r key; do
        sed 's/"ExecutionArn"/\n&/g' "bills/$key"
        echo
    done
}

records SUCCEEDED | sed -n 's/.*\\"total\\":\([0-9.]*\).*/\1/p' | {
    awk '{ sum += $1; count += 1 } END { printf "{\"bills\":%d,\"total\":%.2f,", count, sum }'
}
records FAILED | grep -c '"Status":"FAILED"' | sed 's/.*/"failed":&}/' || true
