#!/bin/sh
# list_unanalyzed: lists the scenes of the catalogue that were not analysed, the newest first.
#
# Input:  {"library"}
# Result: {"scenes": [ids]}
set -eu
. "$(dirname "$0")/lib.sh"

read_library
rows "$CATALOGUE" "$CATALOGUE_HEAD" >"$NEW.catalogue"
awk -F '\t' '$7 != "yes" { print $1 }' "$NEW.catalogue" | sort -rn >"$NEW.ids"
progress 100 "$(awk 'END { print NR }' "$NEW.ids") unanalysed scenes"
awk 'BEGIN { printf "{\"scenes\":[" } { printf "%s%d", comma, $1; comma = "," } END { print "]}" }' "$NEW.ids"
