#!/bin/sh
# process_downloads: links the media files below a folder into the library.
#
# Input:  {"downloads", "library", "exclude_small_vids": false, "shortest_seconds": 30}
# Result: {"status", "total_items", "processed_items", "synced_items", "skipped_items",
#         "failed_items", "total_files_under_duration", "errors": [{"item", "error"}]}
#
# What an earlier execution linked is not looked at again. A broken file fails alone, counts as an
# error, and is looked at again next time: it may be complete then. Run again it gives the same: what this execution has
# linked already counts as linked by it.
set -eu
. "$(dirname "$0")/lib.sh"

read_input
need downloads
DOWNLOADS=${VALUE%/}
need library
LIBRARY=${VALUE%/}
EXCLUDE=false
if json_field exclude_small_vids; then EXCLUDE=$VALUE; fi
SHORTEST=30
if json_field shortest_seconds; then SHORTEST=$VALUE; fi
case $SHORTEST in '' | *[!0-9]*) fail Scenes.BadInput "shortest_seconds is not a whole number" ;; esac

mkdir -p -- "$LIBRARY/files" 2>/dev/null || fail Scenes.NoLibrary "$LIBRARY cannot be made"
enter_library
[ -d "$DOWNLOADS" ] || fail Scenes.NoDownloads "$DOWNLOADS is not a folder"
HANDLED=$LIBRARY/downloads.tsv
[ -e "$HANDLED" ] || : >"$HANDLED"

progress 0 "Looking for downloads"
# Names with line breaks, tabs and the like do not fit into tables, and are passed over.
(cd -- "$DOWNLOADS" && find . -type f ! -path '*[[:cntrl:]]*' \
    \( -name '*.mp4' -o -name '*.mkv' -o -name '*.mov' -o -name '*.avi' -o -name '*.wmv' \)) |
    sed 's|^\./||' | sort >"$NEW.found"
# Without those that another execution has handled.
HANDLED=$HANDLED EXECUTION=$EXECUTION awk '
    BEGIN {
        while ((getline line <ENVIRON["HANDLED"]) > 0) {
            split(line, column, "\t")
            if (column[2] != ENVIRON["EXECUTION"]) handled[column[1]] = 1
        }
    }
    !($0 in handled)' "$NEW.found" >"$NEW.items"
TOTAL=$(awk 'END { print NR }' "$NEW.items")

# refuse ITEM WHY
refuse() {
    failed=$((failed + 1))
    errors="$errors${errors:+,}{\"item\":$(json_string "$1"),\"error\":$(json_string "$2")}"
}

# link FILE NAME: puts the file into the library; fails with the reason in $why.
link() {
    target=$LIBRARY/files/$2
    if [ -e "$target" ]; then
        cmp -s -- "$1" "$target" && return 0
        why="another file of this name is in the library"
        return 1
    fi
    case $2 in */*) mkdir -p -- "${target%/*}" 2>/dev/null || true ;; esac
    ln -- "$1" "$target" 2>/dev/null && return 0
    # Another file system, or one without links.
    cp -- "$1" "$NEW" 2>/dev/null && mv -f -- "$NEW" "$target" 2>/dev/null && return 0
    why="it cannot be linked or copied"
    return 1
}

done=0 synced=0 skipped=0 failed=0 errors=
exec 3>"$NEW.linked" 4<"$NEW.items"
while IFS= read -r name <&4; do
    file=$DOWNLOADS/$name
    if ! read_head "$file"; then
        refuse "$name" "it is broken: it has no head"
    elif [ "$EXCLUDE" = true ] && [ "$SECONDS_LONG" -lt "$SHORTEST" ]; then
        skipped=$((skipped + 1))
    elif link "$file" "$name"; then
        synced=$((synced + 1))
        printf '%s\t%s\n' "$name" "$EXECUTION" >&3
    else
        refuse "$name" "$why"
    fi
    done=$((done + 1))
    tick "$done" "$TOTAL" "Processed"
done
exec 3>&- 4<&-
sort -u "$HANDLED" "$NEW.linked" >"$NEW"
mv -f -- "$NEW" "$HANDLED"

STATUS=completed
[ "$failed" -eq 0 ] || STATUS=completed_with_errors
printf '::errors %d\n' "$failed" >&2
all_done "$TOTAL" "$synced new items, $skipped skipped, $failed failed"
printf '{"status":"%s","total_items":%d,"processed_items":%d,"synced_items":%d,"skipped_items":%d,' \
    "$STATUS" "$TOTAL" "$done" "$synced" "$skipped"
printf '"failed_items":%d,"total_files_under_duration":%d,"errors":[%s]}\n' "$failed" "$skipped" "$errors"
