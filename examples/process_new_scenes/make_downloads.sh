#!/bin/sh
# Makes files for the example: `sh make_downloads.sh FOLDER COUNT [BROKEN [SHORT]]`, by default one
# broken file in 100 and one in 20 that is shorter than 30 seconds. The same numbers make the same
# files.
#
# Such a file begins with a line that stands for the head of a real one, and filler follows:
#
#     EVERSTEP-MEDIA 1 duration=754 codec=h264
set -eu
LC_ALL=C
export LC_ALL

[ $# -ge 2 ] || {
    echo "usage: sh make_downloads.sh FOLDER COUNT [BROKEN [SHORT]]" >&2
    exit 2
}
FOLDER=$1
COUNT=$2
BROKEN=${3:-$((COUNT / 100))}
SHORT=${4:-$((COUNT / 20))}
case $COUNT$BROKEN$SHORT in *[!0-9]*) echo "these are not numbers" >&2 && exit 2 ;; esac

mkdir -p -- "$FOLDER"
FOLDER=$FOLDER COUNT=$COUNT BROKEN=$BROKEN SHORT=$SHORT awk '
    # The next of a row of numbers that look like chance, below `limit`.
    function draw(limit) { state = (state * 1103 + 12345) % 1000003; return state % limit }
    BEGIN {
        folder = ENVIRON["FOLDER"]; count = ENVIRON["COUNT"] + 0
        broken = ENVIRON["BROKEN"] + 0; short = ENVIRON["SHORT"] + 0
        subjects = split("Beach Mountain City Forest Birthday Wedding Concert Garden Dog Cat", subject, " ")
        times = split("Morning Evening Night Weekend Trip Walk", time, " ")
        kinds = split("mp4 mkv mov avi", kind, " ")
        state = 7
        for (n = 1; n <= count; n++) {
            name = sprintf("%s %s (%d) %05d.%s", subject[1 + draw(subjects)], time[1 + draw(times)], \
                2001 + draw(24), n, kind[1 + draw(kinds)])
            file = folder "/" name
            filler = ""
            for (line = draw(40) + 1; line > 0; line--) filler = filler "................................\n"
            # Broken and short ones are spread over all.
            if (broken && int(n * broken / count) > int((n - 1) * broken / count)) {
                # Empty, cut off in its head, and no head at all.
                if (n % 3 == 0) printf "" > file
                else if (n % 3 == 1) printf "EVERSTEP-MEDIA 1 dura" > file
                else printf "%s", filler > file
            } else {
                is_short = short && int(n * short / count) > int((n - 1) * short / count)
                seconds = is_short ? 1 + draw(29) : 30 + draw(3600)
                printf "EVERSTEP-MEDIA 1 duration=%d codec=h264\n%s", seconds, filler > file
            }
            close(file)
        }
    }'
echo "made $COUNT files in $FOLDER, $BROKEN of them broken and $SHORT short"
