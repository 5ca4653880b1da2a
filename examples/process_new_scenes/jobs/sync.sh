#!/bin/sh
# sync: brings the catalogue up to date with the inventory, in pages of 100 scenes.
#
# Input:  {"library"}
# Result: {"status", "total_items", "processed_items", "created_items", "updated_items",
#         "removed_items"}
#
# A page that is in the catalogue stays there: run again, it goes on with the others.
set -eu
. "$(dirname "$0")/lib.sh"

PAGE=100

read_library
progress 0 "Comparing"
rows "$INVENTORY" "$INVENTORY_HEAD" >"$NEW.inventory"
rows "$CATALOGUE" "$CATALOGUE_HEAD" >"$NEW.catalogue"
CATALOGUE=$NEW.catalogue awk -f "$(dirname "$0")/pending.awk" "$NEW.inventory" >"$NEW.pending"
TOTAL=$(awk 'END { print NR }' "$NEW.pending")

# merge: brings the page into the catalogue; prints how many are new, changed and gone.
merge() {
    PAGE_ROWS=$NEW.page OUT=$NEW awk -F '\t' '
        BEGIN {
            while ((getline line <ENVIRON["PAGE_ROWS"]) > 0) {
                split(line, column, "\t")
                if (column[1] ~ /^-/) gone[substr(column[1], 2)] = 1
                else fresh[column[1]] = line
            }
            printf "" > ENVIRON["OUT"]
        }
        $1 in gone { removed++; next }
        $1 in fresh { print fresh[$1] "\t" $7 > ENVIRON["OUT"]; delete fresh[$1]; updated++; next }
        { print > ENVIRON["OUT"] }
        END {
            for (id in fresh) { print fresh[id] "\t-" > ENVIRON["OUT"]; created++ }
            print created + 0, updated + 0, removed + 0
        }' "$NEW.catalogue"
}

done=0 created=0 updated=0 removed=0
exec 4<"$NEW.pending"
while [ "$done" -lt "$TOTAL" ]; do
    : >"$NEW.page"
    in_page=0
    while [ "$in_page" -lt "$PAGE" ] && IFS= read -r row <&4; do
        printf '%s\n' "$row" >>"$NEW.page"
        in_page=$((in_page + 1))
        done=$((done + 1))
        tick "$done" "$TOTAL" "Synced"
    done
    counts=$(merge)
    sort -n "$NEW" >"$NEW.catalogue"
    cp -- "$NEW.catalogue" "$NEW"
    publish "$CATALOGUE" "$CATALOGUE_HEAD"
    set -- $counts
    created=$((created + $1)) updated=$((updated + $2)) removed=$((removed + $3))
done
exec 4<&-

all_done "$TOTAL" "$created created, $updated updated, $removed removed"
printf '{"status":"success","total_items":%d,"processed_items":%d,"created_items":%d,' "$TOTAL" "$done" "$created"
printf '"updated_items":%d,"removed_items":%d}\n' "$updated" "$removed"
