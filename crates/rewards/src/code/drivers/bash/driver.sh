# Calls one function of a Bash program: the first argument names it, the others are its arguments. What it writes is its value.
source "${BASH_SOURCE[0]%/*}/program_text.sh" >&2
# Commands of the machine are not the program's.
if ! declare -F -- "$1" >/dev/null; then
    printf 'the program does not define %s\n' "$1" >&2
    exit 127
fi
"$@"
