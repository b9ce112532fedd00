#!/bin/bash
# tests/bench/gateway.sh - our gateway, haproxy, nginx stream, stunnel.
#
# usage: make bench-gateway [RUNS=3] [SECONDS_EACH=3] [IDLE=9600] [CASES="..."]
#			     [MODES="pass-through terminating"] [SERVERS="..."]
#
# The relay is pinned to core 0, both ends of its connections to core 1, in a
# network namespace. Relays take turns within each round, so that what else the
# machine does hits all of them; a figure is the median of RUNS. Ours is the real
# dp-master with every worker sandboxed; its processor time and memory are those
# of all its processes. TLS 1.3 with certificates at both ends goes through from
# end to end, or ends at the relay and goes on over TLS with certificates at both
# ends of its own, whose sessions relays may resume (stunnel: by way of itself,
# and 2,000 idle ones). "echo bare" is without a relay, its server on core 0.
# "storm": 5,000 devices, cut off, come back one after the other, then again all
# at once, sessions resumed; ours alone, and its processor time both times.
# Two descriptors a connection: where a process may have 20,000, 9,600 idle ones
# are held. Closes with a table and one JSON line; ratio > 1: ours is better than
# the better peer.
# SPDX-License-Identifier: ISC
set -u
cd "$(dirname "$0")/../.." || exit 1
BIN=$(realpath "${BUILD:-build}")
GWLOAD=$BIN/tests/gwload
RUNS=${RUNS:-3} EACH=${SECONDS_EACH:-3} IDLE=${IDLE:-9600} ECHOS=${ECHOS:-10000} BULK=${BULK:-1024}
STORM=${STORM:-5000}
CASES=${CASES:-echo bulk connections idle storm}
MODES=${MODES:-pass-through terminating}
SERVERS=${SERVERS:-ours haproxy nginx stunnel}
NS=dpb-gw
W=/var/tmp/dpoint-bench-gateway LAB=$W NETNS=$NS
die() { echo "bench: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || die "must be root: it makes network namespaces"
[ "$(nproc)" -ge 2 ] || die "needs two cores"
for p in nginx haproxy stunnel4 taskset jq; do
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
cpu_of() { # of threads that are gone, too, only in ticks
	for p in $(family "$1"); do
		[ "$1" = stunnel ] && awk '{ print ($14 + $15) * 10000000 }' "/proc/$p/stat" || cat "/proc/$p/schedstat"
	done 2>/dev/null | awk '{ n += $1 } END { printf "%.0f", n / 1000 }'
}
anon_of() { for p in $(family "$1"); do grep '^RssAnon' "/proc/$p/status"; done 2>/dev/null | awk '{ n += $2 } END { printf "%.0f", n * 1024 }'; }

start_nginx() {
	local tls=
	[ "$MODE" = pass-through ] || tls="ssl_certificate $W/pki/relay.crt; ssl_certificate_key $W/pki/relay.key;
		ssl_verify_client on; ssl_client_certificate $W/pki/ca.crt; ssl_session_cache shared:S:32m;
		proxy_ssl on; proxy_ssl_certificate $W/pki/relay.crt; proxy_ssl_certificate_key $W/pki/relay.key;
		proxy_ssl_verify on; proxy_ssl_trusted_certificate $W/pki/ca.crt; proxy_ssl_name localhost;
		proxy_ssl_protocols TLSv1.3; ssl_protocols TLSv1.3; proxy_ssl_server_name on;"
	cat >"$W/nginx.conf" <<-E
	load_module /usr/lib/nginx/modules/ngx_stream_module.so;
	worker_processes 1; worker_rlimit_nofile $(ulimit -n); daemon off; pid $W/nginx.pid; user root;
	error_log $W/log/nginx-errors;
	events { worker_connections 19900; }
	stream {
		proxy_timeout 1h; access_log off;
		server { listen 127.0.0.1:13000${tls:+ ssl} backlog=8192; proxy_pass 127.0.0.1:$UP; $tls }
	}
	E
	start nginx 0 nginx -e "$W/log/nginx-errors" -c "$W/nginx.conf"
}
start_haproxy() {
	local in= out=
	if [ "$MODE" = terminating ]; then
		in="ssl crt $W/pki/relay.pem ca-file $W/pki/ca.crt verify required ssl-min-ver TLSv1.3"
		out="ssl crt $W/pki/relay.pem ca-file $W/pki/ca.crt verify required sni str(localhost) ssl-min-ver TLSv1.3"
	fi
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
	  bind 127.0.0.1:13000 backlog 8192 $in
	  server up 127.0.0.1:$UP $out
	E
	start haproxy 0 haproxy -db -f "$W/haproxy.cfg"
}
start_stunnel() { # one that ends TLS, and one that begins it, in one process
	cat >"$W/stunnel.conf" <<-E
	foreground = yes
	pid =
	output = $W/log/stunnel-errors
	debug = 4
	CAfile = $W/pki/ca.crt
	cert = $W/pki/relay.pem
	sslVersionMin = TLSv1.3
	socket = l:TCP_NODELAY=1
	socket = r:TCP_NODELAY=1
	[in]
	accept = 127.0.0.1:13000
	connect = 127.0.0.1:9903
	verifyChain = yes
	requireCert = yes
	[out]
	client = yes
	accept = 127.0.0.1:9903
	connect = 127.0.0.1:$UP
	verifyChain = yes
	checkHost = localhost
	sni = localhost
	E
	start stunnel 0 stunnel4 "$W/stunnel.conf"
}
start_ours() {
	local what="listen = 127.0.0.1:13000"
	[ "$MODE" = pass-through ] || what=$(printf '%s\n' "listen =" "terminate-listen = 127.0.0.1:13000" \
		"terminate-server = 127.0.0.1:$UP" "terminate-ca = $W/pki/ca.crt" "terminate-name = localhost" \
		"cert = $W/pki/relay.crt" "key = $W/pki/relay.key" "client-ca = $W/pki/ca.crt")
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
	$what
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
	printf '%-36s %-9s %s\n' "$1" "$2" "${3:-failed}"
}
note_echo() { # SERVER SUFFIX
	load echo -n "$ECHOS" "127.0.0.1:${3:-13000}"
	note "echo p50 $MODE$2" "$1" "$(pick p50)"
	note "echo p99 $MODE$2" "$1" "$(pick p99)"
}
storm_step() {
	for _ in $(seq 1200); do
		grep -q "^$1=" "$W/storm.out" && return
		kill -0 $client 2>/dev/null || return
		sleep 0.1
	done
}
run_case() { # CASE SERVER
	local a b client idle=$IDLE
	case $1 in
	echo) note_echo "$2" "" ;;
	bulk)
		a=$(cpu_of "$2")
		load bulk -b "$BULK" 127.0.0.1:13000
		b=$(cpu_of "$2")
		note "bulk $MODE" "$2" "$(pick mbps)"
		note "CPU per GB $MODE" "$2" "$(awk -v us=$((b - a)) -v m="$BULK" 'BEGIN { printf "%.0f", us / 1000 / (m * 1.048576 / 1000) }')" ;;
	connections)
		a=$(cpu_of "$2")
		load rate -c 32 -d "$EACH" 127.0.0.1:13000
		b=$(cpu_of "$2")
		[ "$(pick failed)" = 0 ] || echo "   $2: $(pick failed) connections failed" >&2
		note "CPU per new connection $MODE" "$2" "$(awk -v us=$((b - a)) -v n="$(pick done)" 'BEGIN { if (n > 0) printf "%.0f", us / n }')" ;;
	idle) # a relay that has carried nothing yet but a little
		[ "$2" != stunnel ] || idle=2000 # four descriptors each
		lab_stop "$2"
		up "$2"
		load echo -n 100 127.0.0.1:13000
		a=$(anon_of "$2")
		mkfifo "$W/hold"
		# shellcheck disable=SC2086
		ip netns exec $NS taskset -c 1 "$GWLOAD" idle -c "$idle" $TLS 127.0.0.1:13000 <"$W/hold" >"$W/idle.out" 2>&1 &
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
		[ "$(pick held)" = $((idle / 8 * 8)) ] || echo "   $2: $OUT" >&2
		note "idle memory $MODE" "$2" "$(awk -v b=$((b - a)) -v n="$(pick held)" 'BEGIN { if (n > 0) printf "%.0f", b / n }')"
		note_echo "$2" ", idle held"
		exec 8>&-
		wait $client
		rm "$W/hold" ;;
	storm)
		[ "$MODE $2" = "terminating ours" ] || return
		mkfifo "$W/hold"
		# shellcheck disable=SC2086
		ip netns exec $NS taskset -c 1 "$GWLOAD" storm -c "$STORM" $TLS 127.0.0.1:13000 <"$W/hold" >"$W/storm.out" 2>&1 &
		client=$!
		exec 8>"$W/hold"
		storm_step first
		a=$(cpu_of ours)
		echo >&8
		storm_step serial
		b=$(cpu_of ours)
		note "CPU of serial reconnection" ours "$(awk -v us=$((b - a)) -v n="$STORM" 'BEGIN { printf "%.1f", us / n }')"
		note "serial reconnection" ours "$(sed -n 's/^serial=\([^ ]*\).*/\1/p' "$W/storm.out")"
		a=$(cpu_of ours)
		echo >&8
		storm_step storm
		b=$(cpu_of ours)
		note "CPU of reconnection at once" ours "$(awk -v us=$((b - a)) -v n="$STORM" 'BEGIN { printf "%.1f", us / n }')"
		note "reconnection at once" ours "$(sed -n 's/^storm=\([^ ]*\).*/\1/p' "$W/storm.out")"
		cat "$W/storm.out"
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
dpctl ca issue "$W/ca" relay --dp new --ip 127.0.0.1 --dns localhost --out "$W/pki"
cat "$W/pki/relay.crt" "$W/pki/relay.key" >"$W/pki/relay.pem"
ip netns add $NS && ip -n $NS link set lo up || die "no network namespace"
ip netns exec $NS sysctl -qw net.ipv4.ip_local_port_range="10240 65535" net.core.somaxconn=16384 \
    net.ipv4.tcp_max_syn_backlog=16384
server() { start "$1" "$2" "$GWLOAD" up -T "$4" -A "$W/pki/ca.crt" -C "$W/pki/srv.crt" -K "$W/pki/srv.key" "$3"; }
server up 1 9000 0
server bare 0 9001 0
server tickets 1 9002 2 # as servers are, which relays resume sessions with
for p in 9000 9001 9002; do lab_wait 10 $p lab_listens $NS $p || exit 1; done
: >"$W/results"
for r in $(seq "$RUNS"); do
	echo "== round $r of $RUNS"
	case " $CASES " in *" echo "*) load echo -n "$ECHOS" 127.0.0.1:9001
		echo "echo without a relay, across cores: p50 $(pick p50) us, p99 $(pick p99) us" ;;
	esac
	for MODE in $MODES; do
		UP=9000
		[ "$MODE" = pass-through ] || UP=9002
		for s in $SERVERS; do
			[ "$s $MODE" != "stunnel pass-through" ] || continue
			up "$s"
			load echo -n 100 127.0.0.1:13000
			[ -n "$OUT" ] || { tail -n 20 "$LAB/log/$s"* >&2; die "$s does not relay"; }
			for c in $CASES; do run_case "$c" "$s"; done
			lab_stop "$s"
		done
	done
done

jq -Rrn '
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def pad($n): tostring + " " * $n | .[:$n];
def unit: if test("^echo") then "us" elif test("^idle") then "bytes/conn" elif test("per GB") then "ms/GB"
 elif test("^bulk") then "MB/s" elif test("^(serial|reconnection)") then "s" else "us/conn" end;
[inputs | split("\t") | {c: .[0], s: .[1], v: (.[2] | tonumber)}] as $all |
([$all[].c] | reduce .[] as $c ([]; if index([$c]) then . else . + [$c] end)) as $cases |
[$cases[] as $c | ($c | unit) as $u | ($u == "MB/s") as $more |
 [$all[] | select(.c == $c)] | group_by(.s) | map({key: .[0].s, value: (map(.v) | median * 10 | round / 10)}) | from_entries |
 select(.ours) | .ours as $o | del(.ours) | to_entries |
 ((if $more then max_by(.value) else min_by(.value) end) // {key: "none", value: null}) as $p |
 {case: $c, unit: $u, ours: $o, peer: $p.key, theirs: $p.value,
  ratio: (if $p.value == null then null else (if $more then $o / $p.value else $p.value / ([$o, 0.001] | max) end) * 1000 | round / 1000 end),
  all: (map("\(.key) \(.value)") | join(", "))}] as $rows |
"", "\("case" | pad(36)) \("unit" | pad(11)) \("ours" | pad(10)) \("best peer" | pad(20)) ratio   all peers",
($rows[] | "\(.case | pad(36)) \(.unit | pad(11)) \(.ours | pad(10)) \("\(.peer) \(.theirs)" | pad(20)) \(.ratio | pad(7)) \(.all)"),
"", ({bench: "gateway", rows: ($rows | map(del(.all)))} | tojson)' "$W/results"
