#!/bin/sh
# Used by validate_import: prints a line for each file given, `v` (valid) or `i` (invalid), a tab,
# and the name from the import folder on.
# Arguments: the import folder, the work folder, the index, files...
set -eu
. "$(dirname "$0")/lib.sh"

IMPORT=${1%/}
WORK=$2
INDEX=$3
shift 3

for file do
    # What this workflow writes is not what it imports.
    case $file in "$WORK"/* | "$INDEX") continue ;; esac
    if [ -r "$file" ] && [ -s "$file" ]; then verdict=v; else verdict=i; fi
    encode_name "${file#"$IMPORT"/}"
    printf '%s\t%s\n' "$verdict" "$NAME"
done
