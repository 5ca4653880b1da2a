#!/bin/sh
# validate_import: finds the regular files below a folder, tells which can be imported (they can be
# read and are not empty), and writes lists of them, one for each batch.
#
# Input:  {"import_path": "...", "validate_only": false, "work_dir": "...", "output": "..."}
#         The last three may be missing. `work_dir` is where the work folder is made; `output` is
#         where the index goes, else it goes into the work folder.
# Result: {"import_path", "work_dir", "index", "total_files", "valid_files", "invalid_files",
#         "unreadable_folders", "batches": [{"number", "files", "list"}]}
#
# Run again it gives the same result, but for the names of the lists: those carry the attempt and
# the process, so that an earlier attempt that still runs cannot disturb this one.
set -eu
. "$(dirname "$0")/lib.sh"

BATCH_SIZE=25

read_input
need import_path
IMPORT=$VALUE
VALIDATE_ONLY=false
if json_field validate_only; then VALIDATE_ONLY=$VALUE; fi
BASE=${TMPDIR:-/tmp}
if json_field work_dir && [ -n "$VALUE" ]; then BASE=$VALUE; fi
OUTPUT=
if json_field output; then OUTPUT=$VALUE; fi

# absolute FOLDER: its path from the root, without links, into $FOLDER.
absolute() {
    FOLDER=$(CDPATH= cd -P -- "$1" 2>/dev/null && pwd -P && printf .) || return 1
    FOLDER=${FOLDER%?.}
}

case $IMPORT in -) IMPORT=./- ;; esac
absolute "$IMPORT" || fail Import.NotFound "$IMPORT is not a folder that can be read"
IMPORT=$FOLDER

mkdir -p -- "$BASE" 2>/dev/null || true
absolute "$BASE" || fail Import.NoWorkFolder "$BASE cannot be made or entered"
WORK=${FOLDER%/}/everstep-import-$EXECUTION

case $OUTPUT in
    '') INDEX=$WORK/out/index.tsv ;;
    /*) INDEX=$OUTPUT ;;
    *) INDEX=$(pwd -P)/$OUTPUT ;;
esac
[ ! -d "$INDEX" ] || fail Import.BadInput "output names a folder: $INDEX"

# A folder of this name is either ours from an earlier attempt, or empty because that attempt ended
# between making it and marking it. Anything else is left alone.
make_work_folder() {
    if ! mkdir -m 700 -- "$WORK" 2>/dev/null; then
        [ ! -L "$WORK" ] && [ -d "$WORK" ] || fail Import.NoWorkFolder "$WORK cannot be made"
        if [ ! -e "$WORK/$MARKER" ] && [ -n "$(ls -A "$WORK")" ]; then
            fail Import.NotOurFolder "$WORK is in use and has no file $MARKER"
        fi
    fi
    if [ ! -e "$WORK/$MARKER" ]; then
        printf '%s\n' "$EXECUTION" >"$WORK/$MARKER.$$"
        mv -f -- "$WORK/$MARKER.$$" "$WORK/$MARKER"
    fi
    check_work_folder "$WORK"
}

make_work_folder
LISTS=lists-${EVERSTEP_ATTEMPT:-1}-$$
SCAN=$WORK/$LISTS
mkdir -p -- "$SCAN" "$WORK/records"

progress 0 "Looking for files"
# What find cannot enter it names on stderr, one line each, and goes on.
find "$IMPORT" -type f -exec sh "$(dirname "$0")/scan_files.sh" "$IMPORT" "$WORK" "$INDEX" {} + \
    >"$SCAN/found" 2>"$SCAN/errors" || true
if grep -v '^find: ' "$SCAN/errors" >&2; then fail Import.ScanFailed "the files could not be listed"; fi
UNREADABLE=$(grep -c '^find: ' "$SCAN/errors" || true)

TOTAL=$(awk 'END { print NR }' "$SCAN/found")
progress 50 "Sorting $TOTAL files"
sort "$SCAN/found" >"$SCAN/sorted"
VALID=$(awk '/^v/ { n++ } END { print n + 0 }' "$SCAN/sorted")

# One list per batch, in the order of the names.
BATCHES=[]
if [ "$VALID" -gt 0 ] && [ "$VALIDATE_ONLY" != true ]; then
    BATCHES=$(SCAN=$SCAN LISTS=$LISTS SIZE=$BATCH_SIZE awk '
        function close_batch() {
            if (!files) return
            close(path)
            printf "%s{\"number\":%d,\"files\":%d,\"list\":\"%s\"}", comma, number, files, name
            comma = ","
            files = 0
        }
        /^v/ {
            if (!files) {
                number++
                name = ENVIRON["LISTS"] "/" sprintf("%06d", number)
                path = ENVIRON["SCAN"] "/" sprintf("%06d", number)
            }
            print substr($0, 3) > path
            if (++files == ENVIRON["SIZE"] + 0) close_batch()
        }
        BEGIN { printf "[" }
        END { close_batch(); printf "]" }' "$SCAN/sorted")
    rm -f -- "$SCAN/found" "$SCAN/sorted" "$SCAN/errors"
else
    # No step comes after this one, so nothing may stay behind.
    rm -rf -- "$WORK"/lists-* "$WORK/records"
    rm -f -- "$WORK/$MARKER"
    rmdir -- "$WORK" 2>/dev/null || true
fi

progress 100 "$VALID of $TOTAL files can be imported"
printf '{"import_path":%s,"work_dir":%s,"index":%s,' \
    "$(json_string "$IMPORT")" "$(json_string "$WORK")" "$(json_string "$INDEX")"
printf '"total_files":%d,"valid_files":%d,"invalid_files":%d,"unreadable_folders":%d,"batches":%s}\n' \
    "$TOTAL" "$VALID" "$((TOTAL - VALID))" "$UNREADABLE" "$BATCHES"
