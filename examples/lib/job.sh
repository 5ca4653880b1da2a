# What the jobs of the examples share. POSIX sh and awk; read with `.`, not run.
#
# A job gets its input as a JSON object on stdin and gives its result as JSON on stdout. Lines on
# stderr that start with `::` are for the engine: progress, counters, the name of an error.
#
# ERRORS is set before: the first part of the names of errors, as `Import` in `Import.BadInput`.

# Bytes are bytes: file names need not be valid in any locale, and sorting must not depend on one.
LC_ALL=C
export LC_ALL

# fail NAME CAUSE: ends the job with an error that `Retry` and `Catch` can name.
fail() {
    printf '::error %s %s\n' "$1" "$(printf '%s' "$2" | tr '[:cntrl:]' ' ')" >&2
    exit 1
}

# progress PERCENT WORDS: `-` as percent leaves the number as it is.
progress() {
    printf '::progress %s %s\n' "$1" "$2" >&2
}

# count DONE TOTAL
count() {
    printf '::count %s/%s\n' "$1" "$2" >&2
}

# Keeps stdin for json_field.
read_input() {
    INPUT=$(cat)
}

# json_field NAME: puts the member NAME of the input object into $VALUE: a string decoded, anything
# else as its JSON text. Fails when there is no such member or it is null.
json_field() {
    # The dot keeps newlines at the end, which $() would drop.
    VALUE=$(printf '%s\n' "$INPUT" | NAME=$1 awk "$JSON_FIELD" && printf .) && status=0 || status=$?
    VALUE=${VALUE%.}
    [ "$status" -lt 2 ] || fail "$ERRORS.BadInput" "the input is not a JSON object that this job can read"
    return "$status"
}

# need NAME: as json_field, but the job ends when it is missing or empty.
need() {
    json_field "$1" || fail "$ERRORS.BadInput" "the input has no $1"
    [ -n "$VALUE" ] || fail "$ERRORS.BadInput" "$1 is empty"
}

# json_string TEXT: prints TEXT as a JSON string. Bytes that are not UTF-8 become U+FFFD.
json_string() {
    TEXT=$1 awk "$JSON_STRING"
}

# Names in lists and in the index stand one to a line, with tabs between columns. `\`, newline, tab
# and carriage return are written `\\`, `\n`, `\t` and `\r`.
encode_name() {
    case $1 in
        *[\\[:cntrl:]]*) NAME=$(TEXT=$1 awk "$ENCODE_NAME") ;;
        *) NAME=$1 ;;
    esac
}

# Into $NAME, as encode_name.
decode_name() {
    case $1 in
        *\\*)
            NAME=$(printf '%b.' "$1")
            NAME=${NAME%.}
            ;;
        *) NAME=$1 ;;
    esac
}

# The execution's id becomes part of file names, so it must look like one.
EXECUTION=${EVERSTEP_EXECUTION:-}
case $EXECUTION in
    '' | *[!A-Za-z0-9-]*) fail "$ERRORS.BadInput" "EVERSTEP_EXECUTION is not the id of an execution" ;;
esac

# Exit status: 0 found, 1 missing or null, 2 not a JSON object.
JSON_FIELD='
function bad() { failed = 1; exit 2 }
function space() { while (substr(text, pos, 1) ~ /[ \t\r\n]/) pos++ }
function hex4(   i, digit, code) {
    for (i = 0; i < 4; i++) {
        digit = index("0123456789abcdef", tolower(substr(text, pos, 1)))
        if (!digit || pos > length(text)) bad()
        code = code * 16 + digit - 1
        pos++
    }
    return code
}
function utf8(code) {
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code < 65536)
        return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, \
        128 + int(code / 64) % 64, 128 + code % 64)
}
function escaped(   code, low, back) {
    code = hex4()
    # A text with a zero byte cannot be a path, and the shell cannot hold it.
    if (code == 0) bad()
    if (code >= 55296 && code < 56320 && substr(text, pos, 2) == "\\u") {
        back = pos
        pos += 2
        low = hex4()
        if (low >= 56320 && low < 57344) return utf8(65536 + (code - 55296) * 1024 + low - 56320)
        pos = back
    }
    if (code >= 55296 && code < 57344) code = 65533
    return utf8(code)
}
function string(   out, n, rest, c) {
    if (substr(text, pos, 1) != "\"") bad()
    pos++
    while (1) {
        rest = substr(text, pos)
        n = match(rest, /["\\]/)
        if (!n) bad()
        out = out substr(rest, 1, n - 1)
        pos += n
        if (substr(rest, n, 1) == "\"") return out
        c = substr(text, pos, 1)
        pos++
        if (c == "u") out = out escaped()
        else if (c in plain) out = out plain[c]
        else bad()
    }
}
# Steps over a value that is not a string.
function skip(   c, depth) {
    depth = 0
    while (pos <= length(text)) {
        c = substr(text, pos, 1)
        if (c == "\"") { string(); continue }
        if (c == "[" || c == "{") depth++
        if (c == "]" || c == "}") { if (!depth) return; depth-- }
        if (c == "," && !depth) return
        pos++
    }
}
BEGIN {
    plain["\""] = "\""; plain["\\"] = "\\"; plain["/"] = "/"; plain["b"] = "\b"
    plain["f"] = "\f"; plain["n"] = "\n"; plain["r"] = "\r"; plain["t"] = "\t"
}
{ text = text between $0; between = "\n" }
END {
    if (failed) exit 2
    ORS = ""
    pos = 1
    space()
    if (substr(text, pos, 1) != "{") bad()
    pos++
    space()
    if (substr(text, pos, 1) == "}") exit 1
    while (1) {
        space()
        key = string()
        space()
        if (substr(text, pos, 1) != ":") bad()
        pos++
        space()
        start = pos
        if (substr(text, pos, 1) == "\"") value = string()
        else {
            skip()
            value = substr(text, start, pos - start)
            sub(/[ \t\r\n]+$/, "", value)
            if (value == "") bad()
        }
        if (key == ENVIRON["NAME"]) { wanted = value; found = (substr(text, start, 4) != "null") }
        space()
        next_char = substr(text, pos, 1)
        pos++
        if (next_char == "}") break
        if (next_char != ",") bad()
    }
    space()
    if (pos <= length(text)) bad()
    if (!found) exit 1
    print wanted
}'

JSON_STRING='
BEGIN {
    ORS = ""
    for (i = 1; i < 32; i++) control[sprintf("%c", i)] = sprintf("\\u%04x", i)
    text = ENVIRON["TEXT"]
    n = length(text)
    print "\""
    for (i = 1; i <= n; i += width) {
        width = 1
        c = substr(text, i, 1)
        if (c == "\"" || c == "\\") print "\\" c
        else if (c in control) print control[c]
        else if (c <= "~" || c == "\177") print c
        else if (match(substr(text, i, 4), /^([\302-\337][\200-\277]|\340[\240-\277][\200-\277]|[\341-\354\356\357][\200-\277][\200-\277]|\355[\200-\237][\200-\277]|\360[\220-\277][\200-\277][\200-\277]|[\361-\363][\200-\277][\200-\277][\200-\277]|\364[\200-\217][\200-\277][\200-\277])/)) {
            width = RLENGTH
            print substr(text, i, width)
        }
        else print "\357\277\275"
    }
    print "\""
}'

ENCODE_NAME='
BEGIN {
    text = ENVIRON["TEXT"]
    gsub(/\\/, "&&", text)
    gsub(/\n/, "\\n", text)
    gsub(/\t/, "\\t", text)
    gsub(/\r/, "\\r", text)
    printf "%s", text
}'
