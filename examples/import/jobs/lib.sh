# What the jobs of the import example share. POSIX sh; read with `.`, not run.
ERRORS=Import
. "$(dirname "$0")/../../lib/job.sh"

# The file that says that a work folder is ours. Nothing is ever removed from a folder without it.
MARKER=.everstep-import

# check_work_folder FOLDER: ends the job unless FOLDER is the work folder of this execution.
check_work_folder() {
    [ ! -L "$1" ] && [ -d "$1" ] || fail Import.WorkFolderGone "$1 is not a folder"
    [ ! -L "$1/$MARKER" ] && [ -f "$1/$MARKER" ] ||
        fail Import.NotOurFolder "$1 has no file $MARKER: it is not a work folder of this workflow"
    [ "$(cat "$1/$MARKER")" = "$EXECUTION" ] ||
        fail Import.NotOurFolder "$1 belongs to another execution"
}
