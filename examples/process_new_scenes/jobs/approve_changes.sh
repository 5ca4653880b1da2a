#!/bin/sh
# approve_changes: approves every pending change of a plan.
#
# Input:  {"library", "plan_id"}
# Result: {"approved"}, those that were approved before included
set -eu
. "$(dirname "$0")/lib.sh"

read_library
read_plan
awk -F '\t' '
    BEGIN { OFS = FS }
    $0 == "#status PENDING" { print "#status APPROVED"; next }
    !/^#/ && $4 == "PENDING" { $4 = "APPROVED" }
    { print }' "$PLAN" >"$NEW"
mv -f -- "$NEW" "$PLAN"
APPROVED=$(awk -F '\t' '$4 == "APPROVED" || $4 == "APPLIED" { n++ } END { print n + 0 }' "$PLAN")
progress 100 "$APPROVED changes approved"
printf '{"approved":%d}\n' "$APPROVED"
