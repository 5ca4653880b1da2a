#!/bin/sh
# count_pending: counts the scenes in which catalogue and inventory differ.
#
# Input:  {"library"}
# Result: {"pending"}
set -eu
. "$(dirname "$0")/lib.sh"

read_library
rows "$INVENTORY" "$INVENTORY_HEAD" >"$NEW.inventory"
rows "$CATALOGUE" "$CATALOGUE_HEAD" >"$NEW.catalogue"
PENDING=$(CATALOGUE=$NEW.catalogue awk -f "$(dirname "$0")/pending.awk" "$NEW.inventory" | awk 'END { print NR }')
progress 100 "$PENDING pending scenes"
printf '{"pending":%d}\n' "$PENDING"
