#!/bin/bash
# tests/bench/uplink.sh - the uplink: a far end of ours, nghttpx, haproxy.
#
# usage: make bench-uplink [RUNS=3] [IDLE=4000] [ECHOS=10000] [BULK=1024] [SERVERS="..."]
#
# A gateway of ours on core 0 carries connections by one uplink to a far end, on
# core 0 as well; clients and server are on core 1, in a network namespace. Far
# ends take turns within each round; a figure is the median of RUNS. nghttpx and
# haproxy connect nobody themselves: behind them is a proxy-listen of ours, on
# core 0, a hop more. Memory is that of the far end's own processes, without the
# proxy behind. TLS 1.3 with certificates at both ends goes through inside.
# Closes with a table and one JSON line; ratio > 1: ours is better than the better
# peer.
# SPDX-License-Identifier: ISC
set -u
cd "$(dirname "$0")/../.." || exit 1
RUNS=${RUNS:-3} IDLE=${IDLE:-4000} ECHOS=${ECHOS:-10000} BULK=${BULK:-1024}
SERVERS=${SERVERS:-ours nghttpx haproxy}
NS=dpb-up W=/var/tmp/dpoint-bench-uplink
NEEDS="nghttpx haproxy taskset jq"
. tests/bench/relay-lib.sh

cpu_of() { for p in $(family "$1"); do cat /proc/"$p"/task/*/schedstat; done 2>/dev/null | awk '{ n += $1 } END { printf "%.0f", n / 1000 }'; }

ours() { # NAME NUMBER LINE...: a dp-master with such a [gateway]
	local name=$1 n=$2; shift 2
	{
		printf '[master]\nlibexec = %s\nrun-dir = %s\n' "$BIN" "$W/run-$name"
		printf '[store]\ndir = %s\nreserve = 0\nwant-free = 0\n' "$W/store-$name"
		printf '[serve]\nhttp = 127.0.0.1:%s\n[gateway]\nenable = yes\nid = %s\n' $((8060 + n)) "$name"
		printf 'cert = %s\nkey = %s\nclient-ca = %s\n' "$W/pki/relay.crt" "$W/pki/relay.key" "$W/pki/ca.crt"
		printf '%s\n' "$@"
	} >"$W/$name.conf"
	start "$name" 0 "$BIN/dp-master" --config "$W/$name.conf"
	lab_wait 15 "$name" grep -q 'every worker is ready' "$LAB/log/$name" || die "$name did not become ready"
}
far_ours() {
	ours far 1 "listen =" "uplink-listen = 127.0.0.1:13002" "uplink-peers = $NAME" "far-end-allow = 127.0.0.1:9000"
}
behind() { ours behind 2 "listen =" "proxy-listen = 127.0.0.1:3128" "proxy-from = 127.0.0.1/32" "proxy-allow = 127.0.0.1:9000"; }
far_nghttpx() {
	behind
	cat >"$W/nghttpx.conf" <<-E
	frontend=127.0.0.1,13002
	backend=127.0.0.1,3128
	http2-proxy=yes
	private-key-file=$W/pki/relay.key
	certificate-file=$W/pki/relay.crt
	verify-client=yes
	verify-client-cacert=$W/pki/ca.crt
	no-ocsp=yes
	frontend-http2-max-concurrent-streams=20000
	backend-connections-per-host=20000
	frontend-read-timeout=1h
	backend-read-timeout=1h
	stream-read-timeout=1h
	rlimit-nofile=19900
	workers=1
	errorlog-file=$W/log/nghttpx-errors
	pid-file=$W/nghttpx.pid
	E
	start far 0 nghttpx --conf="$W/nghttpx.conf"
}
far_haproxy() {
	behind
	cat >"$W/haproxy.cfg" <<-E
	global
	  nbthread 1
	  maxconn 9900
	  tune.h2.max-concurrent-streams 20000
	defaults
	  mode http
	  timeout connect 10s
	  timeout client 1h
	  timeout server 1h
	  timeout tunnel 1h
	frontend uplink
	  bind 127.0.0.1:13002 ssl crt $W/pki/relay.pem ca-file $W/pki/ca.crt verify required alpn h2
	  default_backend proxy
	backend proxy
	  server proxy 127.0.0.1:3128
	E
	start far 0 haproxy -db -f "$W/haproxy.cfg"
}
up() { # SERVER
	"far_$1"
	lab_wait 15 far lab_listens $NS 13002 || die "$1 did not start"
	ours near 0 "listen = 127.0.0.1:13000" "server = 127.0.0.1:9000" "sni = localhost" "uplink = localhost:13002"
	lab_wait 15 near grep -q 'uplink to localhost' "$LAB/log/near" || die "no uplink to $1"
}
down() { lab_stop near far $([ ! -e "$LAB/pid/behind" ] || echo behind); }
TLS="-A $W/pki/ca.crt -C $W/pki/cli.crt -K $W/pki/cli.key"
# shellcheck disable=SC2086 # options
load() { OUT=$(ip netns exec $NS taskset -c 1 "$GWLOAD" "$1" $TLS "${@:2}" 127.0.0.1:13000 2>&1) || { echo "$OUT" >&2; OUT=; }; }
pick() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$OUT" | tail -n 1; }
note() { # CASE SERVER VALUE
	[ -z "$3" ] || printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$W/results"
	printf '%-36s %-9s %s\n' "$1" "$2" "${3:-failed}"
}
hold() { # SERVER: idle streams, and an echo beside them
	local a n client
	a=$(anon_of far) n=$(anon_of near)
	mkfifo "$W/hold"
	# shellcheck disable=SC2086
	ip netns exec $NS taskset -c 1 "$GWLOAD" idle -c "$IDLE" $TLS 127.0.0.1:13000 <"$W/hold" >"$W/idle.out" 2>&1 &
	client=$!
	exec 8>"$W/hold"
	for _ in $(seq 1200); do
		grep -q held= "$W/idle.out" && break
		kill -0 $client 2>/dev/null || break
		sleep 0.1
	done
	sleep 1
	OUT=$(cat "$W/idle.out")
	[ "$(pick held)" = $((IDLE / 8 * 8)) ] || echo "   $1: $OUT" >&2
	n=$(($(anon_of near) - n)) a=$(($(anon_of far) - a))
	note "idle memory of a stream, far end" "$1" "$(awk -v b=$a -v n="$(pick held)" 'BEGIN { if (n > 0) printf "%.0f", b / n }')"
	[ "$1" != ours ] || note "idle memory of a stream, near end" "$1" "$(awk -v b=$n -v n="$(pick held)" 'BEGIN { if (n > 0) printf "%.0f", b / n }')"
	load echo -n "$ECHOS"
	note "echo p50 by uplink, idle held" "$1" "$(pick p50)"
	note "echo p99 by uplink, idle held" "$1" "$(pick p99)"
	exec 8>&-
	wait $client
	rm "$W/hold"
}

relay_lab
NAME=$(openssl x509 -in "$W/pki/relay.crt" -noout -ext subjectAltName | grep -o 'urn:dpoint:dp:[0-9a-f-]*')
start server 1 "$GWLOAD" up -A "$W/pki/ca.crt" -C "$W/pki/srv.crt" -K "$W/pki/srv.key" 9000
lab_wait 10 server lab_listens $NS 9000 || exit 1
: >"$W/results"
for r in $(seq "$RUNS"); do
	echo "== round $r of $RUNS"
	for s in $SERVERS; do
		up "$s"
		load echo -n 100
		[ -n "$OUT" ] || { tail -n 20 "$LAB"/log/{near,far}; die "$s carries nothing"; }
		load echo -n "$ECHOS"
		note "echo p50 by uplink" "$s" "$(pick p50)"
		note "echo p99 by uplink" "$s" "$(pick p99)"
		a=$(cpu_of far)
		load bulk -b "$BULK"
		b=$(cpu_of far)
		note "bulk by uplink" "$s" "$(pick mbps)"
		note "CPU of the far end per GB" "$s" "$(awk -v us=$((b - a)) -v m="$BULK" 'BEGIN { printf "%.0f", us / 1000 / (m * 1.048576 / 1000) }')"
		hold "$s"
		down
	done
done

jq -Rrn '
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def pad($n): tostring + " " * $n | .[:$n];
def unit: if test("^echo") then "us" elif test("^idle") then "bytes" elif test("per GB") then "ms/GB" else "MB/s" end;
[inputs | split("\t") | {c: .[0], s: .[1], v: (.[2] | tonumber)}] as $all |
([$all[].c] | reduce .[] as $c ([]; if index([$c]) then . else . + [$c] end)) as $cases |
[$cases[] as $c | ($c | unit) as $u | ($u == "MB/s") as $more |
 [$all[] | select(.c == $c)] | group_by(.s) | map({key: .[0].s, value: (map(.v) | median)}) | from_entries |
 select(.ours) | .ours as $o | del(.ours) | to_entries |
 ((if $more then max_by(.value) else min_by(.value) end) // {key: "none", value: null}) as $p |
 {case: $c, unit: $u, ours: $o, peer: $p.key, theirs: $p.value,
  ratio: (if $p.value == null then null else (if $more then $o / $p.value else $p.value / ([$o, 0.001] | max) end) * 1000 | round / 1000 end),
  all: (map("\(.key) \(.value)") | join(", "))}] as $rows |
"", "\("case" | pad(36)) \("unit" | pad(6)) \("ours" | pad(8)) \("best peer" | pad(16)) ratio   all peers",
($rows[] | "\(.case | pad(36)) \(.unit | pad(6)) \(.ours | pad(8)) \("\(.peer) \(.theirs)" | pad(16)) \(.ratio | pad(7)) \(.all)"),
"", ({bench: "uplink", rows: ($rows | map(del(.all)))} | tojson)' "$W/results"
