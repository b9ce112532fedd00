#!/bin/bash
# tests/bench/gateway.sh - pass-through: our gateway, haproxy, nginx stream.
#
# usage: make bench-gateway [RUNS=3] [SECONDS_EACH=3] [IDLE=9600] [CASES="..."]
#
# The relay is pinned to core 0, both ends of its connections to core 1, in a
# network namespace. Relays take turns within each round, so that what else the
# machine does hits all of them; a figure is the median of RUNS. Ours is the real
# dp-master with every worker sandboxed; its processor time and memory are those
# of all its processes. TLS 1.3 with certificates at both ends goes through from
# end to end; "echo bare" is the same without a relay, its server on core 0.
# Two descriptors a connection: where a process may have 20,000, 9,600 idle ones
# are held. Closes with a table and one JSON line; ratio > 1: ours is better than
# the better peer.
# SPDX-License-Identifier: ISC
set -u
cd "$(dirname "$0")/../.." || exit 1
BIN=$(realpath "${BUILD:-build}")
GWLOAD=$BIN/tests/gwload
RUNS=${RUNS:-3} EACH=${SECONDS_EACH:-3} IDLE=${IDLE:-9600} ECHOS=${ECHOS:-10000} BULK=${BULK:-1024}
CASES=${CASES:-echo bulk connections idle}
SERVERS=${SERVERS:-ours haproxy nginx}
NS=dpb-gw
W=/var/tmp/dpoint-bench-gateway LAB=$W NETNS=$NS
die() { echo "bench: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || die "must be root: it makes network namespaces"
[ "$(nproc)" -ge 2 ] || die "needs two cores"
for p in nginx haproxy taskset jq; do
	command -v $p >/dev/null || die "$p is missing; ./check.sh --setup installs it"
done
ulimit -n "$(ulimit -Hn)"
. tests/lab.sh

start() { lab_run $NS "$1" taskset -c "$2" "${@:3}"; } # NAME CORE COMMAND...
family() { # NAME: its process and all below it
	ps -eo pid=,ppid= | awk -v root="$(lab_pid "$1")" '
	{ up[$1] = $2 }
	END { for (p in up) for (q = p; q > 1; q = up[q]) if (q == root) { print p; break } }'
}
# microseconds of processor time, and bytes of anonymous memory, of all its processes
cpu_of() { for p in $(family "$1"); do cat "/proc/$p/schedstat"; done 2>/dev/null | awk '{ n += $1 } END { printf "%.0f", n / 1000 }'; }
anon_of() { for p in $(family "$1"); do grep '^RssAnon' "/proc/$p/status"; done 2>/dev/null | awk '{ n += $2 } END { printf "%.0f", n * 1024 }'; }

start_nginx() {
	cat >"$W/nginx.conf" <<-E
	load_module /usr/lib/nginx/modules/ngx_stream_module.so;
	worker_processes 1; worker_rlimit_nofile $(ulimit -n); daemon off; pid $W/nginx.pid; user root;
	error_log $W/log/nginx-errors;
	events { worker_connections 19900; }
	stream {
		proxy_timeout 1h; access_log off;
		server { listen 127.0.0.1:13000 backlog=8192; proxy_pass 127.0.0.1:9000; }
	}
	E
	start nginx 0 nginx -e "$W/log/nginx-errors" -c "$W/nginx.conf"
}
start_haproxy() {
	cat >"$W/haproxy.cfg" <<-E
	global
	  nbthread 1
	  maxconn 9900
	defaults
	  mode tcp
	  timeout connect 10s
	  timeout client 1h
	  timeout server 1h
	listen tcp
	  bind 127.0.0.1:13000 backlog 8192
	  server up 127.0.0.1:9000
	E
	start haproxy 0 haproxy -db -f "$W/haproxy.cfg"
}
start_ours() {
	cat >"$W/ours.conf" <<-E
	[master]
	libexec = $BIN
	run-dir = $W/run
	[store]
	dir = $W/store
	reserve = 0
	want-free = 0
	[serve]
	http = 127.0.0.1:8060
	[gateway]
	enable = yes
	listen = 127.0.0.1:13000
	server = 127.0.0.1:9000
	sni = localhost
	E
	start ours 0 "$BIN/dp-master" --config "$W/ours.conf"
}
up() { # SERVER
	"start_$1"
	lab_wait 15 "$1" lab_listens $NS 13000 || die "$1 did not start"
	[ "$1" != ours ] || lab_wait 15 ours grep -q 'every worker is ready' "$LAB/log/ours" || die "ours did not become ready"
}
TLS="-A $W/pki/ca.crt -C $W/pki/cli.crt -K $W/pki/cli.key"
# shellcheck disable=SC2086 # options
load() { OUT=$(ip netns exec $NS taskset -c 1 "$GWLOAD" "$1" $TLS "${@:2}" 2>&1) || { echo "$OUT" >&2; OUT=; }; }
pick() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$OUT" | tail -n 1; }
note() { # CASE SERVER VALUE
	[ -z "$3" ] || printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$W/results"
	printf '%-32s %-9s %s\n' "$1" "$2" "${3:-failed}"
}
note_echo() { # SERVER SUFFIX
	load echo -n "$ECHOS" "127.0.0.1:${3:-13000}"
	note "echo p50 pass-through$2" "$1" "$(pick p50)"
	note "echo p99 pass-through$2" "$1" "$(pick p99)"
}
run_case() { # CASE SERVER
	local a b client
	case $1 in
	echo) note_echo "$2" "" ;;
	bulk)
		a=$(cpu_of "$2")
		load bulk -b "$BULK" 127.0.0.1:13000
		b=$(cpu_of "$2")
		note "bulk pass-through" "$2" "$(pick mbps)"
		note "bulk CPU pass-through" "$2" "$(awk -v us=$((b - a)) -v m="$BULK" 'BEGIN { printf "%.0f", us / 1000 / (m * 1.048576 / 1000) }')" ;;
	connections)
		a=$(cpu_of "$2")
		load rate -c 32 -d "$EACH" 127.0.0.1:13000
		b=$(cpu_of "$2")
		[ "$(pick failed)" = 0 ] || echo "   $2: $(pick failed) connections failed" >&2
		note "connection CPU pass-through" "$2" "$(awk -v us=$((b - a)) -v n="$(pick done)" 'BEGIN { if (n > 0) printf "%.0f", us / n }')" ;;
	idle) # a relay that has carried nothing yet but a little
		lab_stop "$2"
		up "$2"
		load echo -n 100 127.0.0.1:13000
		a=$(anon_of "$2")
		mkfifo "$W/hold"
		# shellcheck disable=SC2086
		ip netns exec $NS taskset -c 1 "$GWLOAD" idle -c "$IDLE" $TLS 127.0.0.1:13000 <"$W/hold" >"$W/idle.out" 2>&1 &
		client=$!
		exec 8>"$W/hold"
		for _ in $(seq 1800); do
			grep -q held= "$W/idle.out" && break
			kill -0 $client 2>/dev/null || break
			sleep 0.1
		done
		sleep 1
		b=$(anon_of "$2")
		OUT=$(cat "$W/idle.out")
		[ "$(pick held)" = $((IDLE / 8 * 8)) ] || echo "   $2: $OUT" >&2
		note "idle memory pass-through" "$2" "$(awk -v b=$((b - a)) -v n="$(pick held)" 'BEGIN { if (n > 0) printf "%.0f", b / n }')"
		note_echo "$2" ", idle held"
		exec 8>&-
		wait $client
		rm "$W/hold" ;;
	esac
}

trap 'rc=$?; trap - EXIT; lab_clean; exit $rc' EXIT
trap 'exit 130' INT TERM
lab_clean
mkdir -p "$W/log" "$W/pki" && chmod 755 "$W" || die "cannot make $W"
dpctl() { "$BIN/dpctl" "$@" >"$W/log/dpctl" 2>&1 || { cat "$W/log/dpctl" >&2; die "failed: dpctl $*"; }; }
dpctl ca init "$W/ca"
cp "$W/ca/ca.crt" "$W/pki/"
dpctl ca issue "$W/ca" srv --server --ip 127.0.0.1 --dns localhost --out "$W/pki"
dpctl ca issue "$W/ca" cli --device new --out "$W/pki"
ip netns add $NS && ip -n $NS link set lo up || die "no network namespace"
ip netns exec $NS sysctl -qw net.ipv4.ip_local_port_range="10240 65535" net.core.somaxconn=16384 \
    net.ipv4.tcp_max_syn_backlog=16384
server() { start "$1" "$2" "$GWLOAD" up -A "$W/pki/ca.crt" -C "$W/pki/srv.crt" -K "$W/pki/srv.key" "$3"; }
server up 1 9000
server bare 0 9001
lab_wait 10 up lab_listens $NS 9000 && lab_wait 10 bare lab_listens $NS 9001 || exit 1
: >"$W/results"
for r in $(seq "$RUNS"); do
	echo "== round $r of $RUNS"
	case " $CASES " in *" echo "*) load echo -n "$ECHOS" 127.0.0.1:9001
		echo "echo without a relay, across cores: p50 $(pick p50) us, p99 $(pick p99) us" ;;
	esac
	for s in $SERVERS; do
		up "$s"
		load echo -n 100 127.0.0.1:13000
		[ -n "$OUT" ] || { tail -n 20 "$LAB/log/$s" >&2; die "$s does not relay"; }
		for c in $CASES; do run_case "$c" "$s"; done
		lab_stop "$s"
	done
done

jq -Rrn '
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def pad($n): tostring + " " * $n | .[:$n];
def unit: if test("^echo") then "us" elif test("^idle") then "bytes/conn" elif test("^bulk CPU") then "ms/GB"
 elif test("^bulk") then "MB/s" else "us/conn" end;
[inputs | split("\t") | {c: .[0], s: .[1], v: (.[2] | tonumber)}] as $all |
([$all[].c] | reduce .[] as $c ([]; if index([$c]) then . else . + [$c] end)) as $cases |
[$cases[] as $c | ($c | unit) as $u | ($u == "MB/s") as $more |
 [$all[] | select(.c == $c)] | group_by(.s) | map({key: .[0].s, value: (map(.v) | median * 10 | round / 10)}) | from_entries |
 select(.ours and (keys | length > 1)) | .ours as $o | del(.ours) | to_entries |
 (if $more then max_by(.value) else min_by(.value) end) as $p |
 {case: $c, unit: $u, ours: $o, peer: $p.key, theirs: $p.value,
  ratio: ((if $more then $o / $p.value else $p.value / ([$o, 0.001] | max) end) * 1000 | round / 1000),
  all: (map("\(.key) \(.value)") | join(", "))}] as $rows |
"", "\("case" | pad(32)) \("unit" | pad(11)) \("ours" | pad(10)) \("best peer" | pad(20)) ratio   all peers",
($rows[] | "\(.case | pad(32)) \(.unit | pad(11)) \(.ours | pad(10)) \("\(.peer) \(.theirs)" | pad(20)) \(.ratio | pad(7)) \(.all)"),
"", ({bench: "gateway", rows: ($rows | map(del(.all)))} | tojson)' "$W/results"
