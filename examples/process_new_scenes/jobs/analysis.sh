#!/bin/sh
# analysis: looks at a batch of scenes, and proposes tags: a plan.
#
# Input:  {"library", "number", "batches", "words": ["beach", ...], "scenes": [ids]}
# Result: {"plan_id", "total_changes", "scenes_analyzed"}; no plan when there is nothing to change.
#
# A scene gets each of the words as a tag that is in its name. A file that cannot be decoded fails
# the whole batch. The plan of a batch has always the same id; one that is whole is not made again.
# While it is made it is PENDING: a clean-up that finds it so knows that it was cut off.
set -eu
. "$(dirname "$0")/lib.sh"

read_library
need number
NUMBER=$VALUE
need batches
BATCHES=$VALUE
case $NUMBER$BATCHES in *[!0-9]*) fail Scenes.BadInput "number and batches must be numbers" ;; esac
need words
WORDS=$(printf '%s' "$VALUE" | tr -d '"[]' | tr ',' ' ')
case $WORDS in *[!a-z0-9\ -]*) fail Scenes.BadInput "words must be of small letters" ;; esac
need scenes
IDS=$VALUE
case $IDS in *[!0-9,\[\]\ ]*) fail Scenes.BadInput "scenes must be numbers" ;; esac
printf '%s' "$IDS" | tr -d '[] ' | tr ',' '\n' | awk 'NF' >"$NEW.ids"
TOTAL=$(awk 'END { print NR }' "$NEW.ids")
[ "$TOTAL" -gt 0 ] || fail Scenes.BadInput "scenes is empty"

mkdir -p -- "$PLANS"
# The execution's part that is unlike that of others, the batch, and what is in it.
SUM=$(cksum <"$NEW.ids")
PLAN_ID=$(printf '%s-%d-%s' "${EXECUTION##*-}" "$NUMBER" "${SUM%% *}")
PLAN=$PLANS/$PLAN_ID.tsv
rows "$CATALOGUE" "$CATALOGUE_HEAD" >"$NEW.catalogue"

# The names in small letters, so that words are found.
CATALOGUE=$NEW.catalogue awk '
    BEGIN {
        while ((getline line <ENVIRON["CATALOGUE"]) > 0) {
            split(line, column, "\t")
            name[column[1]] = column[2]
        }
    }
    { print $1 "\t" name[$1] "\t" tolower(name[$1]) }' "$NEW.ids" >"$NEW.scenes"

# look: looks at each scene, and writes what should be changed into the plan.
look() {
    printf '#plan %s\n#status PENDING\n#scenes %d\n' "$PLAN_ID" "$TOTAL" >"$PLAN"
    done=0
    exec 3>>"$PLAN" 4<"$NEW.scenes"
    while IFS=$TAB read -r id name small <&4; do
        if ! read_head "$LIBRARY/files/$name" || [ "$CODEC" = none ]; then
            rm -f -- "$PLAN"
            fail Scenes.AnalysisFailed "Analysis failed for batch $NUMBER: $name cannot be decoded"
        fi
        for word in $WORDS; do
            case $small in *"$word"*) printf '%s\tadd_tag\t%s\tPENDING\n' "$id" "$word" >&3 ;; esac
        done
        done=$((done + 1))
        tick "$done" "$TOTAL" "Batch $NUMBER/$BATCHES: processed"
    done
    printf '#complete\n' >&3
    exec 3>&- 4<&-
}

# A plan that was finalised without being applied, after a cancel, is made anew.
is_whole() {
    [ -f "$PLAN" ] && [ "$(tail -n 1 "$PLAN")" = '#complete' ] && ! grep -q '^#status DRAFT' "$PLAN"
}

is_whole || look
CHANGES=$(awk '/^[^#]/ { n++ } END { print n + 0 }' "$PLAN")
# The catalogue knows now that they were analysed.
IDS=$NEW.ids awk -F '\t' '
    BEGIN { OFS = FS; while ((getline id <ENVIRON["IDS"]) > 0) ours[id] = 1 }
    $1 in ours { $7 = "yes" }
    { print }' "$NEW.catalogue" >"$NEW"
publish "$CATALOGUE" "$CATALOGUE_HEAD"

all_done "$TOTAL" "Batch $NUMBER/$BATCHES: $CHANGES changes proposed"
if [ "$CHANGES" -eq 0 ]; then
    rm -f -- "$PLAN"
    printf '{"plan_id":null,"total_changes":0,"scenes_analyzed":%d}\n' "$TOTAL"
else
    printf '{"plan_id":"%s","total_changes":%d,"scenes_analyzed":%d}\n' "$PLAN_ID" "$CHANGES" "$TOTAL"
fi
