#!/bin/bash
# tests/bench/push.sh - many devices held on the push channel, each of them woken.
#
# usage: make bench-push [N=50000] [PROCESSES=4] [CROWDS=4]
#
# The real dp-master with PROCESSES gateway processes, every worker sandboxed, on
# one port; CROWDS processes play N devices between them, each device with its own
# certificate and a full handshake of TLS 1.3, each crowd from its own address.
# Where a process may have 20,000 descriptors, four and four hold 50,000. Fails
# unless every device is held and every one is woken, once, by one command. The
# times are from before the command starts to when the device has the event.
# Closes with one JSON line.
# SPDX-License-Identifier: ISC
. "$(dirname "$0")/../system/lib.sh"
. "$HERE/tests/system/gateway-lib.sh"
. "$HERE/tests/system/push-lib.sh"
N=${N:-50000} PROCESSES=${PROCESSES:-4} CROWDS=${CROWDS:-4}
authority
pconf "processes=$PROCESSES" max-connections=1000000 keepalive=3600
master_start
master_ready
workers() { admin workers | sed -n 's/^worker=gateway.* pid=\([1-9][0-9]*\) .*/\1/p'; }
anon() { for p in $(workers); do grep '^RssAnon' "/proc/$p/status"; done | awk '{ n += $2 } END { printf "%.0f", n * 1024 }'; }
before=$(anon) start=$(date +%s%N)
each=$((N / CROWDS))
for c in $(seq "$CROWDS"); do
	crowd "c$c" -n $each -f $((c * each)) -b "127.0.1.$c" -p $((256 / CROWDS)) -g 100
done
all() { # WORD: to all at once; the answers
	local c
	declare -A n=()
	for c in $(seq "$CROWDS"); do n[$c]=$(answers "c$c"); echo "$1" >&"${CROWD_FD[c$c]}"; done
	for c in $(seq "$CROWDS"); do
		wait_for 300 eval "[ \$(answers c$c) -gt ${n[$c]} ]"
		tail -n 1 "$T/c$c.log"
	done
}
sum() { awk -v k="$1=" '{ for (i = 1; i <= NF; i++) if (index($i, k) == 1) n += substr($i, length(k) + 1) } END { print n + 0 }'; }
largest() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" | sort -n | tail -n 1; }
held=$(all held)
seconds=$((($(date +%s%N) - start) / 100000000))
echo "$held"
[ "$(sum open <<<"$held")" -eq $((each * CROWDS)) ] || fail "held: $held"
N=$((each * CROWDS))
sleep 1
bytes=$((($(anon) - before) / N))
shares=$(for p in $(workers); do ls "/proc/$p/fd" | wc -l; done | sort -n | tr '\n' ' ')
echo "$N held after $((seconds / 10)).$((seconds % 10)) s, $bytes bytes each, descriptors of the gateways: $shares"
admin metrics | grep -E '^dpoint_gateway_(push_devices|tls_handshakes_total|tls_resumed_total)'

worst=0 took=0
for round in 1 2 3; do
	all arm >/dev/null
	row=$(wake all) || fail "wake: $row"
	woken=$(all woken)
	echo "$row"
	echo "$woken"
	jq -e --argjson n "$N" '.devices == $n and .sent == $n' <<<"$row" >/dev/null || fail "wake: $row"
	[ "$(sum woken <<<"$woken") $(sum more <<<"$woken")" = "$N 0" ] || fail "woken: $woken"
	ms=$(largest last_ms <<<"$woken") ms=${ms%.*}
	[ "$ms" -le $worst ] || worst=$ms
	ms=$(jq .took_ms <<<"$row")
	[ "$ms" -le "$took" ] || took=$ms
done
[ "$(all stats | sum lost)" = 0 ] || fail "lost some"
jq -cn --argjson n "$N" --argjson p "$PROCESSES" --argjson s "$seconds" --argjson b "$bytes" --argjson w "$worst" --argjson t "$took" \
	'{bench: "push", devices: $n, processes: $p, seconds_to_hold: ($s / 10), bytes_each: $b, woken_last_ms: $w, gateway_ms: $t}'
