# Calls one function of a Bash program: the first argument names it, the others are its arguments. What it writes is its value.
source "${BASH_SOURCE[0]%/*}/program_text.sh" >&2
"$@"
