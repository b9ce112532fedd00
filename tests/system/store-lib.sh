# tests/system/store-lib.sh - faults in a dp-store at work.
#
#   store_new              an empty store directory, $S
#   driver CMD...          tests/harness/store-driver on it, output in $T/out
#   settled                what must hold after any fault
#   every THREAD CALLS FAULT  one run per call of the set, until none is hit;
#                          HITS says how many were
# SPDX-License-Identifier: ISC
id dp-store >/dev/null 2>&1 || skip "no user dp-store"
command -v strace >/dev/null || skip "no strace"
S=$T/store

store_new() {
	rm -rf "$S"
	install -d -o dp-store -m 700 "$S"
}

driver() {
	: >"$T/store.log"
	"$BUILD/tests/store-driver" "$BUILD/dp-store" "$S" bytes 300000 "$@" >"$T/out" 2>>"$T/store.log"
}

# A fresh start finds no row without its file, every byte is right, and the
# whole job completes, which also looks both objects up and hashes them.
settled() {
	driver verify job verify || fail "$1: $(cat "$T/out")"
	! grep -q 'rows without a file' "$T/store.log" ||
		grep -q ', 0 rows without a file' "$T/store.log" || fail "$1: $(cat "$T/store.log")"
	grep -q '"objects":2,"bytes":300013,"damaged":0,"missing":0,"orphans":0' "$T/out" ||
		fail "$1: $(cat "$T/out")"
	[ -z "$(find "$S/partial" -type f)" ] || fail "$1: a partial file was left"
}

every() {
	local thread=$1 calls=${2#trace=} fault=$3 n rc
	HITS=0
	for n in $(seq 400); do
		store_new
		driver trace "$thread" "$T/trace" "inject=$calls:$fault:when=$n" job
		rc=$?
		[ $rc -lt 4 ] && [ $rc -ne 1 ] || fail "$thread $calls $n: exit $rc: $(cat "$T/out")"
		grep -q INJECTED "$T/trace" || grep -q 'signal 9' "$T/out" || break
		HITS=$n
		settled "$thread $calls $n ($(tail -n 1 "$T/trace"))"
	done
	[ $rc -eq 0 ] || fail "$thread: without a fault: exit $rc: $(cat "$T/out")"
	echo "$thread $calls $fault: $HITS"
}
