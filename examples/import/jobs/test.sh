#!/bin/sh
# Tests the jobs of the import example without an engine: `sh examples/import/jobs/test.sh`.
# JOB_SHELL names the shell to run them with; default `sh`.
set -eu

JOBS=$(CDPATH= cd -P -- "$(dirname "$0")" && pwd -P)
JOB_SHELL=${JOB_SHELL:-sh}
EVERSTEP_EXECUTION=0190b5c6-0000-7000-8000-000000000001
export EVERSTEP_EXECUTION
unset EVERSTEP_IMPORT_DELAY_MS EVERSTEP_ATTEMPT
ROOT=$(mktemp -d)
trap 'rm -rf -- "$ROOT"' EXIT
TMPDIR=$ROOT/tmp
export TMPDIR
mkdir "$TMPDIR"

checks=0
broken=0
check() { # check WORDS EXPECTED ACTUAL
    checks=$((checks + 1))
    if [ "$2" != "$3" ]; then
        broken=$((broken + 1))
        printf 'FAILED: %s\n  expected: %s\n  actual:   %s\n' "$1" "$2" "$3"
    fi
}

# job NAME INPUT: runs a job; its parts are then in $out, $err and $code.
job() {
    code=0
    out=$(printf '%s' "$2" | "$JOB_SHELL" "$JOBS/$1.sh" 2>"$ROOT/err") || code=$?
    err=$(cat "$ROOT/err")
}

# --- lib.sh on its own -----------------------------------------------------------------------------
. "$JOBS/lib.sh"

# round TEXT: TEXT as a JSON string and back.
round() {
    INPUT="{\"other\":[{\"x\":\"}\"}],\"x\":$(json_string "$1")}"
    json_field x
    printf '%s' "$VALUE"
}
for text in plain 'with space ' 'quote" back\slash \n' "a'b" 'ü 日本 🎈' '$(x) `y` *' '/slash/'; do
    check "a text goes through JSON and back: $text" "$text" "$(round "$text")"
done
check "control characters are escaped" '"a\u0009b\u000ac\u001b"' "$(json_string "$(printf 'a\tb\nc\033')")"
check "bytes that are not UTF-8 are replaced" "\"a$(printf '\357\277\275')b\"" "$(json_string "$(printf 'a\377b')")"
INPUT='{ "a" : "x\u00fc\u65e5\ud83c\udf88\/\"\\\t" , "b":12 ,"c": null, "d":[1,{"a":"no"}], "e":{"a":"no"} }'
json_field a
check "escapes are decoded" "xü日🎈/\"\\$(printf '\t')" "$VALUE"
json_field b
check "a number is its text" 12 "$VALUE"
json_field d
check "an array is its text" '[1,{"a":"no"}]' "$VALUE"
check "null is missing" 1 "$(if json_field c; then echo 0; else echo $?; fi)"
check "members of members are not members" 1 "$(if json_field no; then echo 0; else echo $?; fi)"
INPUT='{"a":"\ud83c x"}'
json_field a
check "half a pair is replaced" "$(printf '\357\277\275') x" "$VALUE"

# member NAME: that member of $out.
member() {
    INPUT=$out
    if json_field "$1"; then printf '%s' "$VALUE"; else printf 'MISSING'; fi
}

# --- files with odd names -------------------------------------------------------------------------
NEWLINE='
'
TAB=$(printf '\t')
FILES=$ROOT/"in \"put\" \\ ü \$(touch x) [a]*"
mkdir -p "$FILES/sub dir" "$FILES/-dash"
printf 'one\ntwo\n' >"$FILES/plain.txt"
printf 'a' >"$FILES/sub dir/ leading and trailing "
printf 'b\n' >"$FILES/-dash/-n"
printf 'c\n' >"$FILES/new${NEWLINE}line"
printf 'd\n' >"$FILES/end${NEWLINE}"
printf 'e\n' >"$FILES/tab${TAB}quote\"'\`"
printf 'f\n' >"$FILES/back\\slash\\n"
printf 'g\n' >"$FILES/Zoë-日本-🎈"
printf 'h\n' >"$FILES/*?[x]"
printf 'i\n' >"$FILES/.hidden"
: >"$FILES/empty"
ln -s plain.txt "$FILES/link"
mkfifo "$FILES/pipe"

input="{\"validate_only\": false, \"import_path\": $(json_string "$FILES")}"

# --- validate only leaves nothing behind ----------------------------------------------------------
job validate_import "{\"import_path\": $(json_string "$FILES"), \"validate_only\": true}"
check "validate_only succeeds" 0 "$code"
check "validate_only counts" "11 10 1" "$(member total_files) $(member valid_files) $(member invalid_files)"
check "validate_only gives no batches" "[]" "$(member batches)"
check "validate_only leaves nothing behind" "" "$(ls -A "$TMPDIR")"

# --- the whole way --------------------------------------------------------------------------------
job validate_import "$input"
check "validation succeeds" 0 "$code"
check "the path comes back as it was" "$FILES" "$(member import_path)"
check "regular files are counted" 11 "$(member total_files)"
check "empty files are not valid" 10 "$(member valid_files)"
WORK=$(member work_dir)
INDEX=$(member index)
check "the work folder is named after the execution" "$TMPDIR/everstep-import-$EVERSTEP_EXECUTION" "$WORK"
batches=$(member batches)
list=$(printf '%s' "$batches" | sed 's/.*"list":"\([^"]*\)".*/\1/')
check "ten files are one batch" '[{"number":1,"files":10,"list":"'"$list"'"}]' "$batches"

batch="{\"number\":1,\"list\":\"$list\",\"import_path\":$(json_string "$FILES"),\"work_dir\":$(json_string "$WORK")}"
job process_import "$batch"
check "processing succeeds" "0 10" "$code $(member processed_files)"
check "processing reports its end" "::progress 100 batch 1: file 10 of 10" \
    "$(printf '%s\n' "$err" | grep '^::progress' | tail -n 1)"
check "processing counts" "::count 10/10" "$(printf '%s\n' "$err" | tail -n 1)"
first=$(cat "$WORK/records/000001.tsv")
job process_import "$batch"
check "processing again gives the same" "0 $first" "$code $(cat "$WORK/records/000001.tsv")"

# A leftover of an attempt that was killed changes nothing.
printf 'half' >"$WORK/records/000001.tsv.999"
job index_data "{\"work_dir\":$(json_string "$WORK"),\"index\":$(json_string "$INDEX")}"
check "indexing succeeds" "0 10 $INDEX" "$code $(member indexed_files) $(member index)"
check "the index has a head and a line per file" 11 "$(awk 'END { print NR }' "$INDEX")"
sum=$(cksum <"$FILES/plain.txt")
check "a line of the index" "plain.txt${TAB}8${TAB}2${TAB}${sum%% *}" "$(grep '^plain' "$INDEX")"
check "odd names are written so that they fit on a line" 1 "$(grep -c 'new\\nline' "$INDEX")"
check "every line of the index has four columns" "" "$(awk -F '\t' 'NF != 4' "$INDEX")"
whole=$(cat "$INDEX")
job index_data "{\"work_dir\":$(json_string "$WORK"),\"index\":$(json_string "$INDEX")}"
check "indexing again gives the same" "0 $whole" "$code $(cat "$INDEX")"

job cleanup_temp "{\"work_dir\":$(json_string "$WORK")}"
check "cleaning up succeeds and keeps the index" "0 $WORK" "$code $(member kept)"
check "only the index and the marker stay" "$MARKER out" "$(ls -A "$WORK" | tr '\n' ' ' | sed 's/ $//')"
check "the index is whole" "$whole" "$(cat "$INDEX")"
job cleanup_temp "{\"work_dir\":$(json_string "$WORK")}"
check "cleaning up again is harmless" "0 0 $WORK" "$code $(member removed_files) $(member kept)"
check "the files themselves are untouched" 13 "$(find "$FILES" ! -type d -exec printf '%s\n' x {} + 2>/dev/null | grep -c '^/')"
rm -rf -- "$WORK"
job cleanup_temp "{\"work_dir\":$(json_string "$WORK")}"
check "cleaning up a folder that is gone is harmless" "0 MISSING" "$code $(member kept)"

# --- many files, a work folder and an output of one's own -----------------------------------------
MANY=$ROOT/many
mkdir "$MANY"
n=0
while [ "$n" -lt 51 ]; do
    n=$((n + 1))
    printf '%d\n' "$n" >"$MANY/file $n"
done
job validate_import "{\"import_path\":\"$MANY\",\"work_dir\":\"$MANY/work\",\"output\":\"$MANY/index.tsv\"}"
check "51 files are three batches" 3 "$(member batches | grep -o '"number"' | awk 'END { print NR }')"
WORK=$(member work_dir)
out_batches=$(member batches)
for number in 1 2 3; do
    list=$(printf '%s' "$out_batches" | sed "s/.*\"number\":$number,[^}]*\"list\":\"\([^\"]*\)\".*/\1/")
    job process_import "{\"number\":$number,\"list\":\"$list\",\"import_path\":\"$MANY\",\"work_dir\":\"$WORK\"}"
done
check "the last batch is the rest" 1 "$(member processed_files)"
job index_data "{\"work_dir\":\"$WORK\",\"index\":\"$MANY/index.tsv\"}"
check "all are indexed" 51 "$(member indexed_files)"
check "the index stands beside nothing half-written" "index.tsv" "$(ls "$MANY" | grep index)"
job cleanup_temp "{\"work_dir\":\"$WORK\"}"
check "with the index elsewhere the work folder goes" "0 MISSING" "$code $(member kept)"
check "the work folder is gone" "" "$(ls -A "$MANY/work")"
job validate_import "{\"import_path\":\"$MANY\",\"output\":\"$MANY/index.tsv\",\"validate_only\":true}"
check "an index in the import folder is not imported" 51 "$(member total_files)"

# --- what is refused ------------------------------------------------------------------------------
error_name() { printf '%s\n' "$err" | sed -n 's/^::error \([^ ]*\) .*/\1/p'; }
job validate_import '{"import_path":"/no such folder"}'
check "a folder that is not there" "1 Import.NotFound" "$code $(error_name)"
job validate_import "{\"import_path\":$(json_string "$FILES/plain.txt")}"
check "a file is not a folder" "1 Import.NotFound" "$code $(error_name)"
for bad in '' '[]' '{"import_path":' '{"import_path":"a' '{}' '{"import_path":null}' \
    '{"import_path":""}' '{"import_path":"a\u0000b"}' '{"import_path":"a"} x'; do
    job validate_import "$bad"
    check "bad input: $bad" "1 Import.BadInput" "$code $(error_name)"
done
mkdir "$TMPDIR/everstep-import-$EVERSTEP_EXECUTION"
printf x >"$TMPDIR/everstep-import-$EVERSTEP_EXECUTION/theirs"
job validate_import "$input"
check "a folder in use without our marker" "1 Import.NotOurFolder" "$code $(error_name)"
job cleanup_temp "{\"work_dir\":\"$TMPDIR/everstep-import-$EVERSTEP_EXECUTION\"}"
check "cleaning up a folder without our marker" "1 Import.NotOurFolder" "$code $(error_name)"
check "their file is still there" x "$(cat "$TMPDIR/everstep-import-$EVERSTEP_EXECUTION/theirs")"
printf 'another\n' >"$TMPDIR/everstep-import-$EVERSTEP_EXECUTION/$MARKER"
job cleanup_temp "{\"work_dir\":\"$TMPDIR/everstep-import-$EVERSTEP_EXECUTION\"}"
check "cleaning up the folder of another execution" "1 Import.NotOurFolder" "$code $(error_name)"
job validate_import "{\"import_path\":\"$MANY\",\"work_dir\":\"$MANY/work\"}"
job cleanup_temp "{\"work_dir\":null,\"base\":\"$MANY/work\"}"
check "cleaning up finds the folder of a validation whose result never came" "0 3" "$code $(member removed_files)"
check "and nothing is left of it" "" "$(ls -A "$MANY/work")"
job cleanup_temp "{\"base\":\"$MANY/work\"}"
check "cleaning up what was never made is harmless" "0 0" "$code $(member removed_files)"
job cleanup_temp "{\"work_dir\":$(json_string "$FILES")}"
check "cleaning up any other folder" "1 Import.NotOurFolder" "$code $(error_name)"
rm -rf -- "$TMPDIR"/everstep-import-*

# --- a file that goes away ------------------------------------------------------------------------
job validate_import "{\"import_path\":\"$MANY\"}"
WORK=$(member work_dir)
list=$(member batches | sed 's/^[^}]*"list":"\([^"]*\)".*/\1/')
rm "$MANY/file 1"
job process_import "{\"number\":1,\"list\":\"$list\",\"import_path\":\"$MANY\",\"work_dir\":\"$WORK\"}"
check "a file that is gone fails its batch" "1 Import.FileUnreadable" "$code $(error_name)"
check "the records of the others are kept" 24 "$(awk 'END { print NR }' "$WORK/records/000001.tsv")"
EVERSTEP_IMPORT_DELAY_MS=soon
export EVERSTEP_IMPORT_DELAY_MS
job process_import "{\"number\":1,\"list\":\"$list\",\"import_path\":\"$MANY\",\"work_dir\":\"$WORK\"}"
check "a delay that is no number" "1 Import.BadInput" "$code $(error_name)"

if [ "$broken" -gt 0 ]; then
    printf '%d of %d checks failed\n' "$broken" "$checks"
    exit 1
fi
printf 'all %d checks passed\n' "$checks"
