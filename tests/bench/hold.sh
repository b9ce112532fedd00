#!/bin/bash
# tests/bench/hold.sh - many passed-through connections held at once.
#
# usage: make bench-hold [N=50000] [PROCESSES=6] [ENDS=5]
#
# The real dp-master with PROCESSES gateway processes, every worker sandboxed, on
# one port; ENDS processes play N clients between them and as many are the server,
# with TLS 1.3 from end to end and certificates at both ends. A connection is two
# descriptors of its gateway: where a process may have 20,000, six hold 50,000 and
# four hold 38,000. Fails unless all are held, and all are still there and carry
# another KiB both ways after the memory was measured. Closes with one JSON line.
# SPDX-License-Identifier: ISC
. "$(dirname "$0")/../system/lib.sh"
. "$HERE/tests/system/gateway-lib.sh"
N=${N:-50000} PROCESSES=${PROCESSES:-6} ENDS=${ENDS:-5}
GWLOAD=$BUILD/tests/gwload
sysctl -qw net.ipv4.ip_local_port_range="1024 65535" net.core.somaxconn=16384 net.ipv4.tcp_max_syn_backlog=16384
{
	"$BUILD/dpctl" ca init "$T/ca" &&
		"$BUILD/dpctl" ca issue "$T/ca" srv --server --ip 127.0.0.1 --dns localhost --out "$T" &&
		"$BUILD/dpctl" ca issue "$T/ca" cli --device new --out "$T"
} >"$T/dpctl.log" 2>&1 || fail dpctl
gconf listen=127.0.0.1:13000 server=127.0.0.1:9000 sni=localhost "processes=$PROCESSES" max-connections=1000000 keepalive=3600
for e in $(seq "$ENDS"); do
	run "up$e" "$GWLOAD" up -T 0 -A "$T/ca/ca.crt" -C "$T/srv.crt" -K "$T/srv.key" 9000
done
master_start
master_ready
workers() { admin workers | sed -n 's/^worker=gateway.* pid=\([1-9][0-9]*\) .*/\1/p'; }
anon() { for p in $(workers); do grep '^RssAnon' "/proc/$p/status"; done | awk '{ n += $2 } END { printf "%.0f", n * 1024 }'; }
before=$(anon) start=$(date +%s%N)
each=$((N / ENDS / 8 * 8)) fds=()
N=$((each * ENDS))
for e in $(seq "$ENDS"); do
	mkfifo "$T/idle$e.in"
	"$GWLOAD" idle -c $each -A "$T/ca/ca.crt" -C "$T/cli.crt" -K "$T/cli.key" 127.0.0.1:13000 <"$T/idle$e.in" >"$T/idle$e.log" 2>&1 &
	PIDS+=($!)
	exec {fd}>"$T/idle$e.in"
	fds+=("$fd")
done
sum() { cat "$T"/idle*.log | sed -n "s/.*\b$1=\([0-9]*\).*/\1/p" | awk '{ n += $1 } END { print n + 0 }'; }
lines() { [ "$(cat "$T"/idle*.log | grep -c "\b$1=")" -eq "$ENDS" ]; }
wait_for 600 lines held
tenths=$((($(date +%s%N) - start) / 100000000))
[ "$(sum held)" -eq $N ] || fail "held $(sum held) of $N, $(sum failed) failed"
sleep 1
[ "$(metric dpoint_gateway_open_connections)" -eq $N ] || fail "open: $(metric dpoint_gateway_open_connections)"
bytes=$((($(anon) - before) / N))
shares=$(for p in $(workers); do ls "/proc/$p/fd" | wc -l; done | sort -n | tr '\n' ' ')
echo "$N held after $((tenths / 10)).$((tenths % 10)) s, $bytes bytes each, descriptors of the gateways: $shares"
[ "$bytes" -le 1024 ] || fail "$bytes bytes each"

start=$(date +%s%N)
for fd in "${fds[@]}"; do echo >&"$fd"; done
wait_for 300 lines alive
again=$((($(date +%s%N) - start) / 100000000))
[ "$(sum alive)" -eq $N ] || fail "alive: $(sum alive) of $N"
[ "$(metric dpoint_gateway_open_connections)" -eq $N ] || fail "some were lost"
echo "all carried another KiB to and fro within $((again / 10)).$((again % 10)) s"
jq -cn --argjson n "$N" --argjson p "$PROCESSES" --argjson s "$tenths" --argjson b "$bytes" --argjson a "$again" \
	'{bench: "hold", connections: $n, processes: $p, seconds_to_hold: ($s / 10), bytes_each: $b, seconds_to_use_all: ($a / 10)}'
