#!/bin/bash
# sanitized.sh - the black-box suite against a daemon that a sanitizer watches (`make http-asan`, `make http-tsan`).
#
#	DESCENTD=BINARY tests/sanitized.sh asan|tsan [PYTEST-ARGUMENT...]
#
# What a sanitizer has to say goes to a file for each process, whatever becomes of the test: a report fails the run, also of
# a daemon that the test ends by force or expects to fail. Tests give a slow daemon more time, and end each one by SIGTERM,
# which is when leaks are looked for.
set -e -u -o pipefail
cd "$(dirname "$0")/.."

kind=$1
: "${DESCENTD:?names no daemon with a sanitizer}"
shift
reports=$PWD/build/$kind/reports
rm -rf "$reports"
mkdir -p -m 777 "$reports" # daemons of other users write there too

export INSTRUMENTED=$kind
export ASAN_OPTIONS=log_path=$reports/asan:detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=log_path=$reports/ubsan:print_stacktrace=1
export TSAN_OPTIONS=log_path=$reports/tsan:suppressions=$PWD/tests/tsan.txt
status=0
tests/run.sh -- -rsfE "${@:-tests/http}" || status=$?

for report in "$reports"/*; do
	[ -e "$report" ] || break
	head -n 40 "$report"
	status=1
done
[ "$status" = 0 ] || echo "reports of the sanitizer: $(find "$reports" -type f | wc -l) in $reports"
exit "$status"
