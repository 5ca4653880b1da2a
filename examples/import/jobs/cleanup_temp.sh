#!/bin/sh
# cleanup_temp: removes what the import made for itself. An index in the work folder stays, and with
# it the folder.
#
# Input:  {"work_dir"}, from the result of validate_import, or, when that never came, {"base"}: what
#         it was given as `work_dir`, which may be null.
# Result: {"removed_files", "kept"}: `kept` is the work folder when it stays, else null.
#
# Removes nothing from a folder without the marker of this execution. Run again it has nothing to do
# and succeeds.
set -eu
. "$(dirname "$0")/lib.sh"

read_input
if json_field work_dir && [ -n "$VALUE" ]; then
    WORK=$VALUE
else
    BASE=${TMPDIR:-/tmp}
    if json_field base && [ -n "$VALUE" ]; then BASE=$VALUE; fi
    WORK=${BASE%/}/everstep-import-$EXECUTION
fi
case $WORK in
    */everstep-import-"$EXECUTION") ;;
    *) fail Import.NotOurFolder "$WORK is not the work folder of this execution" ;;
esac

if [ ! -e "$WORK" ] && [ ! -L "$WORK" ]; then
    progress 100 "Nothing to clean up"
    printf '{"removed_files":0,"kept":null}\n'
    exit 0
fi
check_work_folder "$WORK"

# Only the names that the jobs give; links are removed, not followed. No such name holds a newline.
# Inside the folder, so that its own name cannot be read as a pattern.
cd -- "$WORK"
REMOVED=$(find . -type f ! -path './out/*' ! -path "./$MARKER" | awk 'END { print NR }')
rm -rf -- ./lists-* ./records

rmdir -- ./out 2>/dev/null || true
KEPT=null
if [ -n "$(find . ! -path . ! -path "./$MARKER")" ]; then
    # The index, or files of somebody else. The marker stays as long as the folder does.
    KEPT=$(json_string "$WORK")
else
    rm -f -- "./$MARKER"
    cd /
    rmdir -- "$WORK"
fi

progress 100 "Removed $REMOVED temporary files"
printf '{"removed_files":%d,"kept":%s}\n' "$REMOVED" "$KEPT"
