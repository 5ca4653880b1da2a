#!/bin/sh
# apply_plan: makes the approved changes of a plan in the inventory.
#
# Input:  {"library", "plan_id"}
# Result: {"plan_id", "applied_changes", "total_changes"}
#
# A tag that a scene has is not added again, so that the plan may be applied twice.
set -eu
. "$(dirname "$0")/lib.sh"

read_library
read_plan
progress 0 "Applying changes"
rows "$INVENTORY" "$INVENTORY_HEAD" >"$NEW.inventory"
PLAN=$PLAN awk -F '\t' '
    BEGIN {
        OFS = FS
        while ((getline line <ENVIRON["PLAN"]) > 0) {
            split(line, column, "\t")
            if (line !~ /^#/ && (column[4] == "APPROVED" || column[4] == "APPLIED"))
                more[column[1]] = more[column[1]] "," column[3]
        }
    }
    $1 in more {
        count = split(substr(more[$1], 2), tag, ",")
        for (i = 1; i <= count; i++)
            if (index("," $5 ",", "," tag[i] ",") == 0) $5 = ($5 == "-") ? tag[i] : $5 "," tag[i]
    }
    { print }' "$NEW.inventory" >"$NEW"
publish "$INVENTORY" "$INVENTORY_HEAD"

awk -F '\t' '
    BEGIN { OFS = FS }
    /^#status / { print "#status APPLIED"; next }
    !/^#/ && $4 == "APPROVED" { $4 = "APPLIED" }
    { print }' "$PLAN" >"$NEW"
mv -f -- "$NEW" "$PLAN"
COUNTS=$(awk -F '\t' '/^[^#]/ { all++ } $4 == "APPLIED" { n++ } END { print n + 0, all + 0 }' "$PLAN")
progress 100 "Applied ${COUNTS% *} of ${COUNTS#* } changes"
printf '{"plan_id":"%s","applied_changes":%d,"total_changes":%d}\n' "$PLAN_ID" "${COUNTS% *}" "${COUNTS#* }"
