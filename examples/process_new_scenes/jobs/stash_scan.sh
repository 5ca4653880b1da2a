#!/bin/sh
# stash_scan: brings the inventory up to date with the files of the library.
#
# Input:  {"library"}
# Result: {"status", "message", "total_scenes", "new_scenes"}
#
# A file that is new gets the next id; one that is gone leaves the inventory.
set -eu
. "$(dirname "$0")/lib.sh"

read_library
progress 0 "Looking at the files"
rows "$INVENTORY" "$INVENTORY_HEAD" >"$NEW.old"
# wc prints size and name, and sums between them.
(cd -- "$LIBRARY/files" 2>/dev/null && find . -type f -exec wc -c {} +) |
    awk '$2 != "total" { bytes = $1; sub(/^ *[0-9]+ \.\//, ""); print $0 "\t" bytes }' |
    sort >"$NEW.files"
OLD=$NEW.old awk -F '\t' '
    BEGIN {
        while ((getline line <ENVIRON["OLD"]) > 0) {
            split(line, column, "\t")
            id[column[2]] = column[1]; tags[column[2]] = column[5]; sidecar[column[2]] = column[6]
            if (column[1] + 0 > last) last = column[1] + 0
        }
    }
    $1 in id { print id[$1] "\t" $1 "\t" $2 "\t" tags[$1] "\t" sidecar[$1] "\told"; next }
    { print ++last "\t" $1 "\t" $2 "\t-\t-\tnew" }' "$NEW.files" | sort -n >"$NEW.scenes"
TOTAL=$(awk 'END { print NR }' "$NEW.scenes")
ADDED=$(awk -F '\t' '$6 == "new" { n++ } END { print n + 0 }' "$NEW.scenes")

done=0
exec 3>"$NEW" 4<"$NEW.scenes"
while IFS=$TAB read -r id name bytes tags sidecar age <&4; do
    read_head "$LIBRARY/files/$name" || SECONDS_LONG=0
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$id" "$name" "$bytes" "$SECONDS_LONG" "$tags" "$sidecar" >&3
    done=$((done + 1))
    tick "$done" "$TOTAL" "Scanned"
done
exec 3>&- 4<&-
publish "$INVENTORY" "$INVENTORY_HEAD"

all_done "$TOTAL" "$ADDED new scenes of $TOTAL"
printf '{"status":"completed","message":"Metadata scan completed","total_scenes":%d,"new_scenes":%d}\n' \
    "$TOTAL" "$ADDED"
