#!/bin/bash
# idle.sh - what network polling costs while nothing is asked, on a network of 1,000
# devices that each say something every two seconds. Called by listen.sh; needs root.
#
#   RUNS=3 DEVICES=1000
# The whole suite under its master, walls and all, with this machine's address on that
# network: what is heard goes from dp-listen to dp-scan, records and neighbour table
# fill, the store keeps them. idle dp-NAME, and idle all three: percent of a core over a
# minute, in which each sight is told once (RECENT_MS), after all devices are known.
# SPDX-License-Identifier: ISC
. "$(dirname "$0")/../../system/lib.sh"
. "$HERE/tests/bench/scan/row.sh"
RUNS=${RUNS:-3} DEVICES=${DEVICES:-1000}
MINUTE=60
ip link add v0 type veth peer name v1 && ip link set v1 up || fail "no cable"
ip addr add 198.18.0.1/15 dev v0
ip link set v0 up
conf <<-C
	[serve]
	http = 127.0.0.1:8060
	[scan]
	enable = yes
	range-interval = 0
	name-interval = 0
	snmp-interval = 0
C
master_start
master_ready
flood() { "$BUILD/tests/flood" v1 chatter $((DEVICES / 2)) "$1" "$DEVICES" >/dev/null; }
known() { admin json scan-status | sed '$d' | jq -r 'select(.worker == "scan") | .devices'; }
cpu() { cat "/proc/$(worker_pid "$1")"/task/*/schedstat | awk '{ ns += $1 } END { print ns }'; }
flood 10
[ "$(known)" -gt "$DEVICES" ] || fail "$(known) devices of $DEVICES and ourselves are known"
for _ in $(seq "$RUNS"); do
	for w in listen scan probe; do eval "was_$w=$(cpu $w)"; done
	flood $MINUTE
	for w in listen scan probe; do
		eval "was=\$was_$w"
		awk -v n=$(($(cpu $w) - was)) -v s=$MINUTE 'BEGIN { printf "%.3f\n", n / 1e7 / s }' >>"$T/$w"
	done
done
paste "$T/listen" "$T/scan" "$T/probe" | awk '{ printf "%.3f\n", $1 + $2 + $3 }' >"$T/all"
median() { sort -n "$T/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for w in listen scan probe all; do
	name="idle dp-$w"
	[ $w != all ] || name="idle all three"
	printf '%-14s %s %% of a core (%s)\n' "$name" "$(median $w)" "$(sort -n "$T/$w" | tr '\n' ' ' | sed 's/ $//')"
	row "$name" "% of core" "$(median $w)"
done
awk -v o="$(median all)" 'BEGIN { print "idle on a network of '"$DEVICES"' chatty devices: " o " % of a core, target 1: " (o <= 1 ? "met" : "missed") }'
master_stop
