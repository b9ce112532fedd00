#!/bin/bash
# tests/bench/fetch.sh - 1 GiB over HTTPS loopback into the store, verified and
# published, against a bare libcurl loop that hashes as it writes (dlhash.c).
#
# usage: make bench-fetch [RUNS=3] [SIZE_MB=1024]
#
# nginx is on core 0, who downloads on core 1. Ours is the real dp-master with
# every worker sandboxed; its time is from the request to the answer that the
# object is published: hashed on the way, hashed again by the store, synced.
# The two take turns; figures are medians. Closes with one JSON line.
# SPDX-License-Identifier: ISC
export TMPDIR=${BENCH_DIR:-/var/tmp} # a disk, not memory
. "$(dirname "$0")/../system/lib.sh"
. "$(dirname "$0")/../system/fetch-lib.sh"
RUNS=${RUNS:-3} SIZE_MB=${SIZE_MB:-1024}
DLHASH=$BUILD/tests/dlhash
[ -x "$DLHASH" ] || fail "needs $DLHASH: make bench-fetch builds it"

origin_repo b $((SIZE_MB * 1024))
origin_start 'ssl_protocols TLSv1.3;'
taskset -cp 0 "$ORIGIN" >/dev/null
fetch_conf "preload = none"
name=$(name_of b1.bin)
url=https://localhost:8191/${name#repo/}
sum=$(basename "$name" | cut -c1-64)

ours() {
	local t u out
	rm -rf "$T/store"
	run master taskset -c 1 "$BUILD/dp-master" --config "$CONF"
	MASTER=$PID
	: >"$T/master.log"
	master_ready
	refresh | grep -q '^ok' || fail "refresh"
	t=$(date +%s%N)
	out=$(ADMIN_WAIT=120 admin content-fetch "$name")
	u=$(date +%s%N)
	grep -q '^ok' <<<"$out" || fail "content-fetch: $out"
	master_stop
	RESULT=$(awk -v n=$((u - t)) -v mb="$SIZE_MB" 'BEGIN { printf "%.1f", mb * 1048576 / 1e6 / (n / 1e9) }')
}
bare() {
	local out
	rm -f "$T/bare"
	out=$(taskset -c 1 "$DLHASH" "$url" "$T/bare" "$T/ca.pem") || fail dlhash
	[ "${out%% *}" = "$sum" ] || fail "dlhash: wrong bytes"
	rm -f "$T/bare"
	RESULT=${out#* }
}
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

bare # the origin's file is in the page cache now
OURS=() BARE=()
for i in $(seq "$RUNS"); do
	bare; BARE+=("$RESULT")
	ours; OURS+=("$RESULT")
	echo "run $i: bare ${BARE[-1]} MB/s, dp-fetch ${OURS[-1]} MB/s"
done
awk -v o="$(median "${OURS[@]}")" -v b="$(median "${BARE[@]}")" -v c="$SIZE_MB MiB over HTTPS" 'BEGIN {
	printf "\n%-24s %-8s %-10s %-10s %s\n", "case", "unit", "ours", "bare loop", "ratio (target 0.75)"
	printf "%-24s %-8s %-10.1f %-10.1f %.3f\n\n", c, "MB/s", o, b, o / b
	printf "{\"bench\":\"fetch\",\"rows\":[{\"case\":\"%s\",\"unit\":\"MB/s\",\"ours\":%.1f,\"peer\":\"bare loop\",\"theirs\":%.1f,\"ratio\":%.3f}]}\n", c, o, b, o / b
}'
