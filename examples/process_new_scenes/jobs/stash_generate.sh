#!/bin/sh
# stash_generate: makes a sidecar for every scene that has none.
#
# Input:  {"library"}
# Result: {"status", "message", "scenes_updated_count"}
set -eu
. "$(dirname "$0")/lib.sh"

read_library
mkdir -p -- "$LIBRARY/sidecars"
rows "$INVENTORY" "$INVENTORY_HEAD" >"$NEW.inventory"
awk -F '\t' '$6 != "yes"' "$NEW.inventory" >"$NEW.scenes"
TOTAL=$(awk 'END { print NR }' "$NEW.scenes")

done=0
exec 4<"$NEW.scenes"
while IFS=$TAB read -r id name bytes seconds tags sidecar <&4; do
    printf 'name\t%s\nbytes\t%s\nseconds\t%s\ntags\t%s\n' "$name" "$bytes" "$seconds" "$tags" \
        >"$LIBRARY/sidecars/$id.txt"
    done=$((done + 1))
    tick "$done" "$TOTAL" "Generated"
done
exec 4<&-
awk -F '\t' 'BEGIN { OFS = FS } { $6 = "yes"; print }' "$NEW.inventory" >"$NEW"
publish "$INVENTORY" "$INVENTORY_HEAD"

all_done "$TOTAL" "$done sidecars generated"
printf '{"status":"completed","message":"Metadata generate completed","scenes_updated_count":%d}\n' "$done"
