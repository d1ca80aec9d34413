#!/bin/bash
# run.sh - runs tests and adds up what they say.
#
#	tests/run.sh [PROGRAM...] [-- PYTEST-ARGUMENT...]
#
# The programs are unit tests (Check), run side by side; each one's summary is shown, and all it said when it failed.
# Then comes pytest. The last line is the sum; the exit status is 0 only when nothing failed. A program that ends
# badly without counting a failure (a crash outside a test, a sanitizer's report at exit) counts as one; one that ends
# with 77 has nothing to test in this build.
set -u -o pipefail

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
skipped=77
passed=0
failed=0

# add STATUS PASSED FAILED
add()
{
	passed=$((passed + $2))
	failed=$((failed + $3))
	[ "$1" = 0 ] || [ "$3" != 0 ] || failed=$((failed + 1))
}

# count LINE WORD: the number that stands with WORD, as in Check's "Checks: 12" or pytest's "12 passed"; else 0.
count()
{
	if [[ $1 =~ ([0-9]+)\ $2 || $1 =~ $2:\ ([0-9]+) ]]; then echo "${BASH_REMATCH[1]}"; else echo 0; fi
}

programs=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	programs+=("$1")
	shift
done

if [ ${#programs[@]} -gt 0 ]; then
	export logs
	# shellcheck disable=SC2016 # expanded by the inner shell
	printf '%s\0' "${programs[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c \
		'name=$(basename "$1"); "$1" >"$logs/$name" 2>&1; echo $? >"$logs/$name.status"' - {}
fi
for program in "${programs[@]}"; do
	log=$logs/$(basename "$program")
	status=$(cat "$log.status")
	line=$(grep -E '^[0-9]+%: Checks: ' "$log" | tail -n 1)
	if [ "$status" = "$skipped" ]; then
		printf '%-22s skipped\n' "$(basename "$program")"
		continue
	fi
	[ "$status" = 0 ] || tail -n 100 "$log"
	[ -n "$line" ] || status=1
	printf '%-22s %s\n' "$(basename "$program")" "${line:-ended without a summary}"
	bad=$(($(count "$line" Failures) + $(count "$line" Errors)))
	add "$status" $(($(count "$line" Checks) - bad)) "$bad"
done

if [ $# -gt 1 ]; then
	shift
	/usr/bin/python3 -m pytest -q "$@" 2>&1 | tee "$logs/pytest"
	status=$?
	line=$(tail -n 1 "$logs/pytest")
	add "$status" "$(count "$line" passed)" $(($(count "$line" failed) + $(count "$line" error)))
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
