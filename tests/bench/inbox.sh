#!/bin/bash
# tests/bench/inbox.sh - acknowledged puts of 1 KiB reports by many connections,
# beside what the disk allows: a bare loop of fdatasync, and one of LMDB commits.
#
# usage: make bench-inbox [RUNS=3] [SECONDS_EACH=5]
#
# Ours is the real dp-master with every worker sandboxed; no server takes the
# reports. All take turns; figures are medians. Closes with one JSON line.
# SPDX-License-Identifier: ISC
export TMPDIR=${BENCH_DIR:-/var/tmp} # a disk, not memory
. "$(dirname "$0")/../system/lib.sh"
. "$(dirname "$0")/../system/inbox-lib.sh"
RUNS=${RUNS:-3} SECS=${SECONDS_EACH:-5}
R=$BUILD/tests/reports
[ -x "$R" ] || fail "needs $R: make bench-inbox builds it"
inbox_pki 64
inbox_conf 'max-size = 4GiB' 'max-device-size = 4GiB'
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ours() { # CONNECTIONS
	rm -rf "$T/store"
	master_start
	master_ready
	RESULT=$("$R" put 8061 "$T" "$1" "$SECS" "${DEV[@]:1:$1}") || fail reports
	PER=$(stat commits)
	PER=$(awk -v n="$(stat kept)" -v c="$PER" 'BEGIN { printf "%.1f", n / c }')
	master_stop
}
lmdb() { rm -rf "$T/lmdb"; mkdir "$T/lmdb"; RESULT=$("$R" lmdb "$T/lmdb" "$SECS" "$1") || fail lmdb; rm -rf "$T/lmdb"; }
declare -A all
add() { all[$1]+=" $RESULT"; }
for i in $(seq "$RUNS"); do
	RESULT=$("$R" fsync "$T/file" "$SECS") || fail fsync
	rm -f "$T/file"
	add fsync
	for n in 1 64; do lmdb $n; add "lmdb $n"; done
	for n in 1 64; do ours $n; add "ours $n"; per[n]=$PER; done
done
json=
row() { # KEY WORDS
	local m
	m=$(median ${all[$1]})
	printf '%-58s %8.0f per second  (%s)\n' "$2" "$m" "$(echo ${all[$1]})"
	json+="${json:+,}{\"case\":\"$2\",\"unit\":\"per second\",\"ours\":$m}"
}
echo
row fsync "bare: 1 KiB, fdatasync"
row 'lmdb 1' "bare: a commit of 1 KiB to LMDB"
row 'lmdb 64' "bare: records of 1 KiB, 64 a commit"
row 'ours 1' "acknowledged puts, 1 connection"
row 'ours 64' "acknowledged puts, 64 connections"
echo "puts a commit: ${per[1]} with 1 connection, ${per[64]} with 64"
echo "{\"bench\":\"inbox\",\"rows\":[$json]}"
