# What the jobs of this example share. POSIX sh and awk; read with `.`, not run.
#
# The library is a folder:
#
#     files/          the media files
#     inventory.tsv   what the server knows of them: scans, applied plans and generated sidecars
#                     change it. Columns: id, name, bytes, seconds, tags, sidecar
#     catalogue.tsv   our copy, as of the last sync, with one more column: whether it was analysed
#     downloads.tsv   downloads that were handled, and by which execution
#     plans/          changes that an analysis proposes
#     sidecars/       what is generated for each file
#     jobs.log        a line for each job that began
#
# Every table appears whole or not at all, by `mv`. One execution works in a library at a time.
ERRORS=Scenes
. "$(dirname "$0")/../../lib/job.sh"

TAB=$(printf '\t')
INVENTORY_HEAD='#inventory 1'
CATALOGUE_HEAD='#catalogue 1'

# read_library: the input's `library` into $LIBRARY, which must be there.
read_library() {
    read_input
    need library
    LIBRARY=${VALUE%/}
    [ -d "$LIBRARY" ] || fail Scenes.NoLibrary "$LIBRARY is not a folder"
    enter_library
}

# enter_library: names what is in $LIBRARY, and notes in its log that the job begins.
enter_library() {
    INVENTORY=$LIBRARY/inventory.tsv
    CATALOGUE=$LIBRARY/catalogue.tsv
    PLANS=$LIBRARY/plans
    NEW=$LIBRARY/new.$EXECUTION.$$
    # An attempt that is stopped leaves no half of a table.
    trap 'rm -f -- "$NEW" "$NEW".*' EXIT
    trap 'exit 143' TERM INT HUP
    printf '%s %s %s %s\n' "${EVERSTEP_JOB_TYPE:-job}" "$EXECUTION" "${EVERSTEP_JOB:-0}" \
        "${EVERSTEP_ATTEMPT:-1}" >>"$LIBRARY/jobs.log" ||
        fail Scenes.NotWritable "nothing can be written into $LIBRARY"
}

# rows FILE HEAD: prints the rows of a table; one that is not there has none.
rows() {
    [ -e "$1" ] || return 0
    IFS= read -r first <"$1" || first=
    [ "$first" = "$2" ] || fail Scenes.Damaged "$1 does not begin with \"$2\""
    sed 1d "$1"
}

# publish TABLE HEAD: makes what is in $NEW the rows of a table.
publish() {
    { printf '%s\n' "$2" && cat "$NEW"; } >"$NEW.whole" && mv -f -- "$NEW.whole" "$1" ||
        fail Scenes.NotWritable "$1 cannot be written"
}

# read_head FILE: its length in whole seconds into $SECONDS_LONG, how it is coded into $CODEC. Fails
# when the file is broken.
read_head() {
    head=
    IFS= read -r head 2>/dev/null <"$1" || return 1
    case $head in 'EVERSTEP-MEDIA 1 duration='*' codec='*) ;; *) return 1 ;; esac
    CODEC=${head##* codec=}
    SECONDS_LONG=${head#*duration=}
    SECONDS_LONG=${SECONDS_LONG%% *}
    case $SECONDS_LONG in '' | *[!0-9]*) return 1 ;; esac
}

# tick DONE TOTAL WORDS: tells how far the job is, at every tenth thing.
# EVERSTEP_SCENES_DELAY_MS is how long to wait then, so that people can look on.
tick() {
    [ $(($1 % 10)) -eq 0 ] && [ "$1" -lt "$2" ] || return 0
    printf '::count %d/%d %s %d of %d\n' "$1" "$2" "$3" "$1" "$2" >&2
    [ "$DELAY" = 0 ] || sleep "$DELAY" 2>/dev/null || sleep 1
}

# all_done TOTAL WORDS: tells that all things are done, and what came of them.
all_done() {
    if [ "$1" -gt 0 ]; then
        printf '::count %d/%d %s\n' "$1" "$1" "$2" >&2
    else
        progress 100 "$2"
    fi
}

DELAY=${EVERSTEP_SCENES_DELAY_MS:-0}
case $DELAY in
    0 | '') DELAY=0 ;;
    *[!0-9]*) fail Scenes.BadInput "EVERSTEP_SCENES_DELAY_MS is not a number" ;;
    *) DELAY=$((DELAY / 1000)).$(printf '%03d' $((DELAY % 1000))) ;;
esac

# read_plan: the input's `plan_id` into $PLAN_ID, its file, which must be there, into $PLAN.
read_plan() {
    need plan_id
    PLAN_ID=$VALUE
    case $PLAN_ID in *[!A-Za-z0-9-]*) fail Scenes.BadInput "plan_id is not the id of a plan" ;; esac
    PLAN=$PLANS/$PLAN_ID.tsv
    [ -f "$PLAN" ] || fail Scenes.PlanNotFound "Plan $PLAN_ID not found"
}
