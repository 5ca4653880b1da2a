#!/bin/sh
# index_data: merges the records of all batches into one index, sorted by name.
#
# Input:  {"work_dir", "index"}, from the result of validate_import.
# Result: {"indexed_files", "index"}
#
# The index appears whole or not at all.
set -eu
. "$(dirname "$0")/lib.sh"

read_input
need work_dir
WORK=$VALUE
need index
INDEX=$VALUE

check_work_folder "$WORK"
FOLDER=${INDEX%/*}
mkdir -p -- "${FOLDER:-/}" 2>/dev/null || fail Import.NoIndex "${FOLDER:-/} cannot be made"

PARTIAL=$INDEX.$EXECUTION.$$
trap 'rm -f -- "$PARTIAL"' EXIT
trap 'exit 143' TERM INT HUP

progress 0 "Merging the records"
{
    printf 'path\tbytes\tlines\tcksum\n'
    # A name ends at a tab, which sorts before every character that a name can hold.
    find "$WORK/records" -type f -name '??????.tsv' -exec cat {} + | sort
} >"$PARTIAL" || fail Import.NoIndex "$INDEX cannot be written"
INDEXED=$(awk 'END { print NR - 1 }' "$PARTIAL")
mv -f -- "$PARTIAL" "$INDEX" || fail Import.NoIndex "$INDEX cannot be written"
# What an attempt left that was killed.
rm -f -- "$INDEX.$EXECUTION".*

progress 100 "$INDEXED files are in the index"
count "$INDEXED" "$INDEXED"
printf '{"indexed_files":%d,"index":%s}\n' "$INDEXED" "$(json_string "$INDEX")"
