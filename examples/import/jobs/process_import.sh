#!/bin/sh
# process_import: takes one batch of files, and writes a record of each: its name, its size in
# bytes, how many lines it has, and its checksum as `cksum` gives it.
#
# Input:  {"import_path", "work_dir", "list", "number"}, from the result of validate_import.
# Result: {"batch", "processed_files"}
#
# The records of a batch are one file, which appears whole or not at all. A file that cannot be read
# any more fails the batch, but the records of the others are kept.
#
# EVERSTEP_IMPORT_DELAY_MS slows the job down by so many milliseconds per file.
set -eu
. "$(dirname "$0")/lib.sh"

read_input
need import_path
IMPORT=${VALUE%/}
need work_dir
WORK=$VALUE
need list
LIST=$VALUE
need number
NUMBER=$VALUE
case $NUMBER in *[!0-9]*) fail Import.BadInput "number is not a number" ;; esac
case $LIST in lists-*..* | /*) fail Import.BadInput "list is not a list of this workflow" ;; esac

check_work_folder "$WORK"
[ -f "$WORK/$LIST" ] || fail Import.WorkFolderGone "$WORK/$LIST is gone"

DELAY_MS=${EVERSTEP_IMPORT_DELAY_MS:-0}
case $DELAY_MS in *[!0-9]* | '') fail Import.BadInput "EVERSTEP_IMPORT_DELAY_MS is not a number" ;; esac
DELAY=$(awk "BEGIN { printf \"%.3f\", $DELAY_MS / 1000 }")

# A shell whose `sleep` takes whole seconds only waits one.
pause() {
    [ "$DELAY_MS" -gt 0 ] || return 0
    sleep "$DELAY" 2>/dev/null || sleep 1
}

RECORDS=$WORK/records/$(printf '%06d' "$NUMBER").tsv
PARTIAL=$RECORDS.$$
trap 'rm -f -- "$PARTIAL"' EXIT
trap 'exit 143' TERM INT HUP

total=$(awk 'END { print NR }' "$WORK/$LIST")
done=0
unread=0
exec 3>"$PARTIAL" 4<"$WORK/$LIST"
while IFS= read -r encoded <&4; do
    pause
    decode_name "$encoded"
    # cksum prints the checksum and the size.
    if sum=$(cksum 2>/dev/null <"$IMPORT/$NAME") && lines=$(wc -l 2>/dev/null <"$IMPORT/$NAME"); then
        printf '%s\t%d\t%d\t%s\n' "$encoded" "${sum##* }" "$lines" "${sum%% *}" >&3
    else
        unread=$((unread + 1))
    fi
    done=$((done + 1))
    progress $((done * 100 / total)) "batch $NUMBER: file $done of $total"
    count "$done" "$total"
done
exec 3>&- 4<&-
mv -f -- "$PARTIAL" "$RECORDS"

[ "$unread" -eq 0 ] || fail Import.FileUnreadable "$unread of $total files of batch $NUMBER cannot be read any more"
printf '{"batch":%d,"processed_files":%d}\n' "$NUMBER" "$total"
