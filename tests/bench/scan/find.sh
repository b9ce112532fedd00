#!/bin/bash
# tests/bench/scan/find.sh - who is on a network: ours, arp-scan and nmap -sn.
#
# usage: make bench-scan PARTS=find [RUNS=3] [HOSTS=64] [CASES="arp ndp"]
#
# A switch (a bridge in a namespace of its own), HOSTS hosts spread over a /22,
# a namespace each, and a machine that looks for them. Ours is dp-master with all
# workers, sandboxes on, started anew with an empty store for each measurement
# and asked by `dpctl scan run`: from the command to its end, as a peer from its
# start to its end. Neighbour tables are emptied before each; turns alternate.
# Each with its defaults, and tuned for speed. Frames are those that left the
# machine's interface. Fails unless ours finds every host.
# SPDX-License-Identifier: ISC
. "$(dirname "$0")/../../system/lib.sh"
. "$HERE/tests/bench/scan/row.sh"
RUNS=${RUNS:-3} HOSTS=${HOSTS:-64} CASES=${CASES:-arp ndp}
NET=198.18.0.0/22 P=dpsc$$
for c in arp-scan nmap jq; do command -v $c >/dev/null || fail "needs $c: ./check.sh --setup installs it"; done
names() { echo "$P-br"; seq -f "$P-h%g" "$HOSTS"; }
trap 'rc=$?; for n in $(names); do ip netns del "$n" 2>/dev/null; done; (exit $rc); cleanup' EXIT

ip netns add "$P-br" || fail "ip netns"
ip -n "$P-br" link add br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 100 mcast_startup_query_interval 200 || fail "bridge"
ip -n "$P-br" link set br0 up
ip link add s0 type veth peer name ps netns "$P-br" || fail "veth"
ip -n "$P-br" link set ps master br0 up
ip addr add 198.18.0.1/22 dev s0
ip addr add 2001:db8:18::1/64 dev s0 nodad
ip link set s0 up
for i in $(seq "$HOSTS"); do
	a=$((i * 1020 / HOSTS))
	ip netns add "$P-h$i"
	ip -n "$P-h$i" link add e0 type veth peer name "p$i" netns "$P-br"
	ip -n "$P-br" link set "p$i" master br0 up
	ip -n "$P-h$i" addr add "198.18.$((a >> 8)).$((a & 255))/22" dev e0
	ip -n "$P-h$i" addr add "2001:db8:18::$(printf %x "$a")/64" dev e0 nodad
	ip -n "$P-h$i" link set e0 up
done
sleep 6 # duplicate address detection, membership reports
tx() { ip -s -j link show s0 2>/dev/null | jq '.[0].stats64.tx.packets'; }

# --- those who look: each prints the addresses that it found
ours_begin() { # RATE WAIT-MS
	ip neigh flush all 2>/dev/null
	rm -rf "$T/store"
	conf <<-C
	[serve]
	http = 127.0.0.1:8060
	[scan]
	enable = yes
	rate = $1
	wait-ms = $2
	range-interval = 0
	name-interval = 0
	snmp-interval = 0
	C
	master_start
	master_ready
	sleep 0.5
}
dpctl() { "$BUILD/dpctl" --socket "$T/run/admin.sock" "$@"; }
found() { dpctl scan devices --json | jq -r '.addresses[]?' | grep -E "$1" | grep -vxE '198\.18\.0\.1|2001:db8:18::1' | sort -u; }
ours() { dpctl scan run "$@" >"$T/run.out" 2>&1 || fail "scan run: $(cat "$T/run.out")" >&2; }
arp_scan() { arp-scan -I s0 -q -x "$@" $NET | awk '{ print $1 }'; }
nmap_sn() { nmap -sn -PR -n "$@" -oG - $NET 2>/dev/null | awk '/Status: Up/ { print $2 }'; }

# WHO CASE: the measurement; seconds, hosts and frames to $T/CASE.WHO
measure() {
	local who=$1 case=$2 t0 t1 f0
	shift 2
	ip neigh flush all 2>/dev/null
	for h in $(names); do ip -n "$h" neigh flush all 2>/dev/null; done # who knew us asks nothing
	case $who-$case in
	ours-arp*default) ours_begin 1000 250 ;;
	ours-arp*tuned) ours_begin 20000 60 ;;
	ours-ndp*) ours_begin 1000 250 ;;
	esac
	f0=$(tx) t0=$(date +%s%N)
	"$@" >"$T/found"
	t1=$(date +%s%N)
	f1=$(tx)
	if [ "$who" = ours ]; then
		if [[ $case = ndp* ]]; then found '^2001:db8:18:' >"$T/found"; else found '^198\.18\.' >"$T/found"; fi
		master_stop
	fi
	grep -vx 198.18.0.1 "$T/found" | sort -u >"$T/set.$case.$who"
	echo "$(awk -v n=$((t1 - t0)) 'BEGIN { printf "%.3f", n / 1e9 }') $(wc -l <"$T/set.$case.$who") $((f1 - f0))" | tee -a "$T/$case.$who" | sed "s/^/$case $who: /"
}
for round in $(seq "$RUNS"); do
	if [[ " $CASES " = *" arp "* ]]; then
		measure ours arp-default ours arp $NET
		measure arp-scan arp-default arp_scan
		measure nmap arp-default nmap_sn
		measure ours arp-tuned ours arp $NET
		measure arp-scan arp-tuned arp_scan --bandwidth=10M --retry=2 --timeout=100
		measure nmap arp-tuned nmap_sn -T5 --min-parallelism 512 --max-retries 1
	fi
	if [[ " $CASES " = *" ndp "* ]]; then
		for kind in snoop flood; do
			ip -n "$P-br" link set br0 type bridge mcast_snooping $([ $kind = snoop ] && echo 1 || echo 0)
			[ $kind = flood ] || sleep 1 # the querier asks who is in which group
			measure ours ndp-$kind ours ndp
		done
	fi
done

column() { sort -n -k"$2" "$T/$1" | awk -v c="$2" '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'; }
target() { # CASE UNIT OURS TARGET
	awk -v c="$1" -v u="$2" -v o="$3" -v t="$4" 'BEGIN { print c ": " o " " u ", target " t ": " (o <= t ? "met" : "missed") }'
}
need=$((1022 + 1022 - HOSTS - 1)) # one each, one more for who is silent; we are none
need=$((need - 1))
if [[ " $CASES " = *" arp "* ]]; then
	for kind in default tuned; do
		[ "$(column arp-$kind.ours 2)" -eq "$HOSTS" ] || fail "found $(column arp-$kind.ours 2) of $HOSTS"
		[ "$(column arp-$kind.arp-scan 2) $(column arp-$kind.nmap 2)" = "$HOSTS $HOSTS" ] || echo "arp-scan and nmap found $(column arp-$kind.arp-scan 2) and $(column arp-$kind.nmap 2) of $HOSTS"
		for peer in arp-scan nmap; do
			cmp -s "$T/set.arp-$kind.ours" "$T/set.arp-$kind.$peer" || echo "$kind: $peer found others: $(diff "$T/set.arp-$kind.ours" "$T/set.arp-$kind.$peer")"
		done
		for peer in arp-scan nmap; do
			row "/22 arp $kind" s "$(column arp-$kind.ours 1)" $peer "$(column arp-$kind.$peer 1)"
			row "/22 arp $kind frames" frames "$(column arp-$kind.ours 3)" $peer "$(column arp-$kind.$peer 3)"
		done
		target "/22 arp $kind" s "$(column arp-$kind.ours 1)" "$([ $kind = default ] && echo 3 || echo 0.45)"
		target "/22 arp $kind frames" frames "$(column arp-$kind.ours 3)" "$((need * 105 / 100))"
	done
fi
if [[ " $CASES " = *" ndp "* ]]; then
	for kind in snoop flood; do
		least=$(sort -n -k2 "$T/ndp-$kind.ours" | awk 'NR == 1 { print $2 }')
		[ "$least" -eq "$HOSTS" ] || fail "IPv6, $kind: found $least of $HOSTS"
		row "/64 ndp $kind" s "$(column ndp-$kind.ours 1)"
		target "/64 ndp $kind" s "$(column ndp-$kind.ours 1)" 3
	done
fi
