# tests/system/store-lib.sh - faults in a dp-store at work.
#
#   store_new              an empty store directory, $S
#   driver CMD...          tests/harness/store-driver on it, output in $T/out
#                          CFG="config KEY=VALUE..." for the store
#   settled                what must hold after any fault
#   every THREAD NAMES FAULT [BUT]  one run per system call of a job in that
#                          thread whose name matches and whose line of strace -y
#                          does not match BUT; HITS says how many were hit
# SPDX-License-Identifier: ISC
harness store-driver
id dp-store >/dev/null 2>&1 || skip "no user dp-store"
command -v strace >/dev/null || skip "no strace"
S=$T/store

store_new() {
	rm -rf "$S"
	install -d -o dp-store -m 700 "$S"
}

driver() {
	fresh store
	"$BUILD/tests/store-driver" "$BUILD/dp-store" "$S" ${CFG-} bytes 300000 "$@" >"$T/out" 2>>"$T/store.log"
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

# strace counts the calls of each name on its own: so a first run lists the
# calls, and each then has its turn by name and number.
every() {
	local thread=$1 names=$2 fault=$3 but=${4:-^$} name n rc
	HITS=0
	store_new
	driver trace "$thread" "$T/calls" trace=all job || fail "$thread: without a fault: $(cat "$T/out")"
	awk -F'(' -v names="^($names)\$" -v but="$but" \
		'/^[a-z0-9_]+\(/ { n[$1]++; if ($1 ~ names && $0 !~ but) print $1, n[$1] }' \
		"$T/calls" >"$T/list"
	while read -r name n <&7; do
		store_new
		driver trace "$thread" "$T/trace" "inject=$name:$fault:when=$n" job
		rc=$?
		[ $rc -lt 4 ] && [ $rc -ne 1 ] || fail "$thread $name $n: exit $rc: $(cat "$T/out")"
		if grep -q INJECTED "$T/trace" || [ $rc -eq 3 ]; then HITS=$((HITS + 1)); fi
		settled "$thread $name $n ($(tail -n 1 "$T/trace"))"
	done 7<"$T/list"
	echo "$thread $fault: $HITS of $(wc -l <"$T/list") calls"
}
