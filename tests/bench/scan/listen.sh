#!/bin/bash
# listen.sh - the real dp-listen, walls and all, under frames of many devices: what it
# costs, what it loses. Called by run.sh; needs root.
#
#   RUNS=3 SECONDS_EACH=3 CASES="arp dhcp mix idle"
# listen arp|dhcp|mix  frames/s as fast as the sender's core goes, lost, and how many a
#         core of dp-listen's would take (frames by its processor seconds)
# idle                 idle.sh: with the prober and the keeper, 1,000 devices that speak
# SPDX-License-Identifier: ISC
set -u
cd "$(dirname "$0")/../../.." || exit 1
. tests/bench/scan/row.sh
BUILD=$(realpath "${BUILD:-build}")
RUNS=${RUNS:-3} SECONDS_EACH=${SECONDS_EACH:-3} CASES=${CASES:-arp dhcp mix idle}
DEVICES=${DEVICES:-1000}
[ "$(id -u)" -eq 0 ] || { echo "needs root" >&2; exit 77; }
if [ -z "${LISTEN_NS-}" ]; then
	LISTEN_NS=1 exec unshare --net -- "$0" "$@"
fi
ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up || exit 1
T=$(mktemp -d) && mkfifo "$T/in" || exit 1
driver=
trap '[ -z "$driver" ] || kill "$driver" 2>/dev/null; rm -rf "$T"' EXIT

begin() { # dp-listen on core 1, the sender has core 0
	taskset -c 1 "$BUILD/tests/listen-driver" "$BUILD/dp-listen" <"$T/in" >"$T/out" &
	driver=$!
	exec 5>"$T/in"
	printf 'quiet\non v0\n' >&5
	sleep 0.3
	counts=0
}
end() { echo quit >&5; exec 5>&-; wait "$driver"; driver=; }
count() { # frames, lost, cpu and the others as variables
	echo count >&5
	counts=$((counts + 1))
	for _ in $(seq 100); do
		[ "$(grep -c '^count' "$T/out")" -lt "$counts" ] || break
		sleep 0.05
	done
	eval "$(grep '^count' "$T/out" | tail -n 1 | cut -d' ' -f2-)"
}
flood() { taskset -c 0 "$BUILD/tests/flood" v1 "$@"; }
shot() { # KIND RATE: frames/s, lost, a core's frames/s
	local f0 l0 c0 s
	count; f0=$frames l0=$lost c0=$cpu
	s=$(flood "$1" "$2" "$SECONDS_EACH" "$DEVICES" | cut -d' ' -f4)
	sleep 0.2
	count
	awk -v f=$((frames - f0)) -v l=$((lost - l0)) -v c0="$c0" -v c1="$cpu" -v s="$s" \
	    'BEGIN { printf "%.0f %d %.0f\n", f / s, l, (f - l) / (c1 - c0) }'
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for kind in $CASES; do
	case $kind in
	idle)
		RUNS=$RUNS DEVICES=$DEVICES tests/bench/scan/idle.sh || exit 1
		;;
	*)
		begin
		for _ in $(seq "$RUNS"); do shot "$kind" 0; done >"$T/rows"
		printf '%-14s %s frames/s came, %s lost; a core takes %s frames/s (%s)\n' "listen $kind" \
		    "$(cut -d' ' -f1 "$T/rows" | median)" "$(cut -d' ' -f2 "$T/rows" | median)" \
		    "$(cut -d' ' -f3 "$T/rows" | median)" "$(cut -d' ' -f3 "$T/rows" | sort -n | tr '\n' ' ' | sed 's/ $//')"
		row "listen $kind" frames/s "$(cut -d' ' -f1 "$T/rows" | median)"
		row "listen $kind lost" frames "$(cut -d' ' -f2 "$T/rows" | median)"
		end
		;;
	esac
done
