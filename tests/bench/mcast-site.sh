#!/bin/bash
# tests/bench/mcast-site.sh - a file to a whole site of real daemons, end to end.
#
# usage: make bench-mcast-site [MIB=512] [AGENTS=4] [RUNS=1] [RATE=unlimited] [LOSS=0]
#
# dp-master with all its workers and dp-agents that run, all sandboxes on, in
# namespaces on a switch as in the tests of multicast. The
# file is published in a repository that nginx serves over HTTPS on this machine,
# and the distribution point asked to refresh: that is 0; "last" is when the last
# agent has verified it and put it in place, "transfer" how long the slowest took
# from its question on. What came which way is what agents say of
# themselves, in percent of all bytes of the file to all of them; memory is
# RssAnon at its peak, of dp-mcast and of the agents' network children.
# Files are where $TMPDIR says (n agents: n + 2 times the size, each run), /dev/shm or a disk.
# SPDX-License-Identifier: ISC
MIB=${MIB:-512} AGENTS=${AGENTS:-4} RUNS=${RUNS:-1} RATE=${RATE:-unlimited} LOSS=${LOSS:-0}
. "$(dirname "$0")/../system/lib.sh"
. "$HERE/tests/system/fetch-lib.sh"
. "$HERE/tests/system/mcast-lib.sh"
DEVS=$(seq -f 'd%g' "$AGENTS")
mcast_site $DEVS
# trains are cut once, before the switch, and not at each of its ports
ip link set veth0 gso_max_segs 1 || fail "gso_max_segs"
origin_repo first 100
origin_start
site_conf "rate = $RATE" "gather = 2" "min-agents = 1"
master_start; master_ready
refresh | tail -n 1 | grep -q '^ok$' || fail "refresh"
site_agents $DEVS --
placed() { for d in $DEVS; do [ -f "$T/dev-$d/files/packages/$1" ] || return 1; done; }
wait_for 30 placed first1.bin
sleep 3 # they have their keys, and the carousel its rhythm
site_loss "$LOSS" $DEVS

# One process twice a second: more would be part of what is measured.
watch_memory() {
	local of="" d
	for d in $DEVS; do of+=" /proc/$(pgrep -P "${AGENT_PID[$d]}" -f dp-agent-net)/status"; done
	of="/proc/$(worker_pid mcast)/status$of"
	while sleep 0.5; do
		awk '/^RssAnon/ { print NR == FNR ? "sender" : "agent", $2 }' $of
	done >>"$T/memory" 2>/dev/null
}
peak() { awk -v who="$1" '$1 == who && $2 > m { m = $2 } END { printf "%.1f", m / 1024 }' "$T/memory"; }
came() { # what all agents say of the file
	for d in $DEVS; do jq ".targets[] | select(.path | endswith(\"$1\")) | .came" "$T/dev-$d/state/tuf/status.json"; done | jq -s "$2"
}
told() { [ "$(came "$1" 'map(select(. != null)) | length')" = "$AGENTS" ]; }

one_run() {
	local f=f$1.bin from last
	head -c $((MIB << 20)) /dev/urandom >"$T/$f"
	origin_add "$T/$f"
	rm "$T/$f"
	: >"$T/memory"
	watch_memory &
	local watch=$!
	from=$(date +%s%N)
	ADMIN_WAIT=300 refresh >"$T/refreshed" &
	WAIT=$((MIB / 4 + 60))
	wait_for $WAIT placed "$f"
	last=$(date +%s%N)
	wait_for 30 told "$f"
	kill $watch
	wait $watch 2>/dev/null
	came "$f" "{ mib: $MIB, agents: $AGENTS, loss: $LOSS, last_s: ($(((last - from) / 1000000)) / 1000), mb_s: ($((MIB << 20)) / $(((last - from) / 1000000)) | round / 1000),
	    transfer_ms: (map(.ms) | max),
	    multicast: (map(.multicast) | add), repair: (map(.repair) | add), unicast: (map(.unicast) | add) } |
	    (.multicast + .repair + .unicast) as \$all | .multicast = (.multicast / \$all * 1000 | round / 10) |
	    .repair = (.repair / \$all * 1000 | round / 10) | .unicast = (.unicast / \$all * 1000 | round / 10) |
	    . + { sender_mib: $(peak sender), agent_mib: $(peak agent) }" | jq -c .
	admin json events | grep "multicast-sent" | grep -F "$f" | jq -c '{seconds, source_bytes, parity_bytes, repair_bytes, receivers, done, unicast, loss_percent}'
	grep -h "$f.*session ended\|$f.*rest comes" "$T"/agent-d*.log
}
for r in $(seq "$RUNS"); do one_run "$r"; done
