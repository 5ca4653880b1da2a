#!/bin/sh
# draft_plans: finalises what a cancelled execution leaves: its pending plans become drafts.
#
# Input:  {"library", "reason"}
# Result: {"drafted"}
set -eu
. "$(dirname "$0")/lib.sh"

read_library
need reason
REASON=$(printf '%s' "$VALUE" | tr '[:cntrl:]' ' ')
drafted=0
for plan in "$PLANS/${EXECUTION##*-}"-*.tsv; do
    [ -f "$plan" ] || continue
    grep -q '^#status PENDING' "$plan" || continue
    REASON=$REASON AT=$(date -u +%Y-%m-%dT%H:%M:%SZ) awk '
        $0 != "#status PENDING" { print; next }
        {
            print "#status DRAFT"
            print "#finalized_reason " ENVIRON["REASON"]
            print "#finalized_at " ENVIRON["AT"]
        }' "$plan" >"$NEW"
    mv -f -- "$NEW" "$plan"
    drafted=$((drafted + 1))
done
progress 100 "$drafted plans are drafts now"
printf '{"drafted":%d}\n' "$drafted"
