#!/bin/bash
# tests/bench/gateway.sh - our gateway, haproxy, nginx stream, stunnel, nghttpx.
#
# usage: make bench-gateway [RUNS=3] [SECONDS_EACH=3] [IDLE=10000] [CASES="..."]
#			     [MODES="pass-through terminating"] [SERVERS="..."]
#
# All relays are pinned to core 0, both ends of their connections to core 1, in a
# network namespace. They are up together and take turns: the client of the echo
# asks each TURN times and begins again, a round has BULKS transfers of BULK MiB
# by each, so that what else the machine does hits all alike. A figure is the
# median of all rounds. A host that takes a core away for some milliseconds spoils
# a whole percentile: p99 is the median of the turns' 99th percentiles, beside
# it stands that of all echoes. Ours is the real
# dp-master with every worker sandboxed; its processor time and memory are those
# of all its processes.
#
# TLS 1.3 with certificates at both ends goes through from
# end to end, or ends at the relay and goes on over TLS with certificates at both
# ends of its own, whose sessions relays may resume (stunnel: by way of itself;
# nghttpx: asked by HTTP CONNECT on both sides).
# "bare" is the echo without a relay, its server on core 0.
# "idle" holds IDLE connections at each relay and asks for echoes again meanwhile.
# A process has 20,000 descriptors here and needs two a connection, so over 9,600
# are held by two processes of a relay on its core; by stunnel and nghttpx 2,000.
# "storm": 5,000 devices, cut off, come back one after the other, then again all
# at once, sessions resumed; ours alone, and its processor time both times.
# Closes with a table and one JSON line; ratio > 1: ours is better than the best
# peer; the column haproxy: than that.
# SPDX-License-Identifier: ISC
set -u
cd "$(dirname "$0")/../.." || exit 1
RUNS=${RUNS:-3} EACH=${SECONDS_EACH:-3} IDLE=${IDLE:-10000} STORM=${STORM:-5000}
ECHOS=${ECHOS:-20000} TURN=${TURN:-200} BULK=${BULK:-256} BULKS=${BULKS:-4}
CASES=${CASES:-echo bulk connections idle storm}
MODES=${MODES:-pass-through terminating}
SERVERS=${SERVERS:-ours haproxy nginx stunnel nghttpx}
NS=dpb-gw W=/var/tmp/dpoint-bench-gateway
NEEDS="nginx haproxy stunnel4 nghttpx taskset jq"
. tests/bench/relay-lib.sh

declare -A PORT=([ours]=13000 [haproxy]=13010 [nginx]=13020 [stunnel]=13030 [nghttpx]=13040)
up_port() { echo $((PORT[$1] - 4000 + 5 * TERMINATES)); } # of its server
parts_of() { (cd "$W/pid" && echo "$1" "$1"-[2-9] | sed "s/ $1-\[.*//"); } # a relay's processes in the lab
# microseconds of processor time of all its processes
cpu_of() { # of threads, those that are gone, too, only in ticks
	for p in $(family $(parts_of "$1")); do
		case $1 in
		stunnel | nghttpx) awk '{ print ($14 + $15) * 10000000 }' "/proc/$p/stat" ;;
		*) cat "/proc/$p/schedstat" ;;
		esac
	done 2>/dev/null | awk '{ n += $1 } END { printf "%.0f", n / 1000 }'
}

# Each listens on $AT and goes on to $UP, where TLS ends at it if TERMINATES.
start_nginx() {
	local tls=
	[ $TERMINATES = 0 ] || tls="ssl_certificate $W/pki/relay.crt; ssl_certificate_key $W/pki/relay.key;
		ssl_verify_client on; ssl_client_certificate $W/pki/ca.crt; ssl_session_cache shared:S:32m;
		proxy_ssl on; proxy_ssl_certificate $W/pki/relay.crt; proxy_ssl_certificate_key $W/pki/relay.key;
		proxy_ssl_verify on; proxy_ssl_trusted_certificate $W/pki/ca.crt; proxy_ssl_name localhost;
		proxy_ssl_protocols TLSv1.3; ssl_protocols TLSv1.3; proxy_ssl_server_name on;"
	cat >"$W/nginx.conf" <<-E
	load_module /usr/lib/nginx/modules/ngx_stream_module.so;
	worker_processes $PROCESSES; worker_rlimit_nofile $(ulimit -n); daemon off; pid $W/nginx.pid; user root;
	error_log $W/log/nginx-errors;
	events { worker_connections 19900; }
	stream {
		proxy_timeout 1h; access_log off;
		server { listen 127.0.0.1:$AT${tls:+ ssl} reuseport backlog=8192; proxy_pass 127.0.0.1:$UP; $tls }
	}
	E
	start nginx 0 nginx -e "$W/log/nginx-errors" -c "$W/nginx.conf"
}
start_haproxy() {
	local in= out=
	if [ $TERMINATES = 1 ]; then
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
	  bind 127.0.0.1:$AT backlog 8192 $in
	  server up 127.0.0.1:$UP $out
	E
	start haproxy 0 haproxy -db -f "$W/haproxy.cfg"
	[ $PROCESSES = 1 ] || start haproxy-2 0 haproxy -db -f "$W/haproxy.cfg"
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
	accept = 127.0.0.1:$AT
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
start_nghttpx() {
	start nghttpx 0 nghttpx --conf=/dev/null --http2-proxy -n1 --backlog=8192 --no-ocsp \
		"-f127.0.0.1,$AT" "-b127.0.0.1,$UP;;proto=http/1.1;tls;sni=localhost" --cacert="$W/pki/ca.crt" \
		--client-cert-file="$W/pki/relay.crt" --client-private-key-file="$W/pki/relay.key" \
		--verify-client --verify-client-cacert="$W/pki/ca.crt" --tls-min-proto-version=TLSv1.3 \
		--frontend-read-timeout=1h --stream-read-timeout=1h --stream-write-timeout=1h \
		--backend-read-timeout=1h --backend-write-timeout=1h --backend-connections-per-host=30000 \
		--accesslog-file=/dev/null --errorlog-file="$W/log/nghttpx-errors" "$W/pki/relay.key" "$W/pki/relay.crt"
}
start_ours() {
	local what="listen = 127.0.0.1:$AT"
	[ $TERMINATES = 0 ] || what=$(printf '%s\n' "listen =" "terminate-listen = 127.0.0.1:$AT" \
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
	processes = $PROCESSES
	$what
	server = 127.0.0.1:$UP
	sni = localhost
	E
	start ours 0 "$BIN/dp-master" --config "$W/ours.conf"
}
all_up() { # [PROCESSES]: the servers and the relays of this mode
	PROCESSES=${1:-1}
	for s in $RELAYS; do
		AT=${PORT[$s]} UP=$(up_port "$s")
		# with tickets where relays are clients, as servers are
		server "up-$s" 1 "$UP" $((TERMINATES * 2))
		"start_$s"
		lab_wait 15 "$s" lab_listens $NS "$AT" || die "$s did not start"
		[ "$s" != ours ] || lab_wait 15 ours grep -q 'every worker is ready' "$LAB/log/ours" || die "ours did not become ready"
		load echo -n 100 "$(address "$s")"
		[ -n "$OUT" ] || { tail -n 20 "$LAB/log/$s"* >&2; die "$s does not relay"; }
	done
}
all_down() { for s in $RELAYS; do lab_stop $(parts_of "$s") "up-$s"; done; }

TLS="-A $W/pki/ca.crt -C $W/pki/cli.crt -K $W/pki/cli.key"
address() { [ "$1" = nghttpx ] && echo "CONNECT:127.0.0.1:${PORT[$1]}" || echo "127.0.0.1:${PORT[$1]}"; }
# shellcheck disable=SC2086 # options
client() { ip netns exec $NS taskset -c 1 "$GWLOAD" "$1" $TLS "${@:2}"; }
load() { OUT=$(client "$@" 2>&1) || { echo "$OUT" >&2; OUT=; }; }
pick() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$OUT" | tail -n 1; }
note() { # CASE SERVER VALUE
	[ -z "$3" ] || printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$W/results"
	printf '%-44s %-9s %s\n' "$1" "$2" "${3:-failed}"
}
note_echo() { # SUFFIX: of all, in turns
	local s all
	load echo -n "$ECHOS" -t "$TURN" 127.0.0.1:9001 $(for s in $RELAYS; do address "$s"; done)
	all=$OUT
	for s in bare $RELAYS; do
		OUT=$(head -n 1 <<<"$all") all=$(tail -n +2 <<<"$all")
		note "echo p50 $MODE$1" "$s" "$(pick p50)"
		note "echo p99 $MODE$1" "$s" "$(pick p99)"
		note "echo p99 of all $MODE$1" "$s" "$(pick all99)"
	done
}
storm_step() {
	for _ in $(seq 1200); do
		grep -q "^$1=" "$W/storm.out" && return
		kill -0 $! 2>/dev/null || return
		sleep 0.1
	done
}
case_echo() { note_echo ""; }
case_bulk() {
	local a b s
	for _ in $(seq "$BULKS"); do for s in $RELAYS; do
		a=$(cpu_of "$s")
		load bulk -b "$BULK" "$(address "$s")"
		b=$(cpu_of "$s")
		note "bulk $MODE" "$s" "$(pick mbps)"
		note "CPU per GB $MODE" "$s" "$(awk -v us=$((b - a)) -v m="$BULK" 'BEGIN { printf "%.0f", us / 1000 / (m * 1.048576 / 1000) }')"
	done; done
}
case_connections() {
	local a b s
	for s in $RELAYS; do
		a=$(cpu_of "$s")
		load rate -c 32 -d "$EACH" "$(address "$s")"
		b=$(cpu_of "$s")
		[ "$(pick failed)" = 0 ] || echo "   $s: $(pick failed) connections failed" >&2
		note "CPU per new connection $MODE" "$s" "$(awk -v us=$((b - a)) -v n="$(pick done)" 'BEGIN { if (n > 0) printf "%.0f", us / n }')"
	done
}
case_idle() { # relays that have carried nothing yet but a little
	local a b s idle fd fds= clients=
	for s in $RELAYS; do
		idle=$IDLE
		case $s in stunnel | nghttpx) [ "$idle" -le 2000 ] || idle=2000 ;; esac
		a=$(anon_of $(parts_of "$s"))
		mkfifo "$W/hold-$s"
		client idle -c "$idle" "$(address "$s")" <"$W/hold-$s" >"$W/idle.out" 2>&1 &
		exec {fd}>"$W/hold-$s"
		fds="$fds $fd" clients="$clients $!"
		for _ in $(seq 1800); do
			grep -q held= "$W/idle.out" && break
			kill -0 $! 2>/dev/null || break
			sleep 0.1
		done
		sleep 1
		b=$(anon_of $(parts_of "$s"))
		OUT=$(cat "$W/idle.out")
		[ "$(pick held)" = $((idle / 8 * 8)) ] || echo "   $s: $OUT" >&2
		note "idle memory $MODE" "$s" "$(awk -v b=$((b - a)) -v n="$(pick held)" 'BEGIN { if (n > 0) printf "%.0f", b / n }')"
	done
	note_echo ", idle held"
	for fd in $fds; do exec {fd}>&-; done
	wait $clients
	rm "$W"/hold-*
}
case_storm() {
	local a b fd at
	[ $TERMINATES = 1 ] && [[ " $RELAYS " = *" ours "* ]] || return
	at=$(address ours)
	mkfifo "$W/hold"
	client storm -c "$STORM" "$at" <"$W/hold" >"$W/storm.out" 2>&1 &
	exec {fd}>"$W/hold"
	storm_step first
	a=$(cpu_of ours)
	echo >&$fd
	storm_step serial
	b=$(cpu_of ours)
	note "CPU of serial reconnection" ours "$(awk -v us=$((b - a)) -v n="$STORM" 'BEGIN { printf "%.1f", us / n }')"
	note "serial reconnection" ours "$(sed -n 's/^serial=\([^ ]*\).*/\1/p' "$W/storm.out")"
	a=$(cpu_of ours)
	echo >&$fd
	storm_step storm
	b=$(cpu_of ours)
	note "CPU of reconnection at once" ours "$(awk -v us=$((b - a)) -v n="$STORM" 'BEGIN { printf "%.1f", us / n }')"
	note "reconnection at once" ours "$(sed -n 's/^storm=\([^ ]*\).*/\1/p' "$W/storm.out")"
	cat "$W/storm.out"
	exec {fd}>&-
	wait $!
	rm "$W/hold"
}

relay_lab
server() { start "$1" "$2" "$GWLOAD" up -T "$4" -A "$W/pki/ca.crt" -C "$W/pki/srv.crt" -K "$W/pki/srv.key" "$3"; }
server bare 0 9001 0
lab_wait 10 bare lab_listens $NS 9001 || exit 1
: >"$W/results"
for r in $(seq "$RUNS"); do
	echo "== round $r of $RUNS"
	for MODE in $MODES; do
		TERMINATES=1 RELAYS=$SERVERS
		[ "$MODE" = terminating ] || TERMINATES=0 RELAYS=$(sed 's/stunnel\|nghttpx//g' <<<"$SERVERS")
		all_up
		for c in $CASES; do [ "$c" = idle ] || "case_$c"; done
		all_down
		[[ " $CASES " = *" idle "* ]] || continue
		all_up $((IDLE > 9600 ? 2 : 1))
		case_idle
		all_down
	done
done

jq -Rrn '
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def pad($n): tostring + " " * $n | .[:$n];
def ratio($ours; $theirs; $more): if $theirs == null then null
 else (if $more then $ours / $theirs else $theirs / ([$ours, 0.001] | max) end) * 1000 | round / 1000 end;
def unit: if test("^echo") then "us" elif test("^idle") then "bytes/conn" elif test("per GB") then "ms/GB"
 elif test("^bulk") then "MB/s" elif test("^(serial|reconnection)") then "s" else "us/conn" end;
[inputs | split("\t") | {c: .[0], s: .[1], v: (.[2] | tonumber)}] as $all |
([$all[].c] | reduce .[] as $c ([]; if index([$c]) then . else . + [$c] end)) as $cases |
[$cases[] as $c | ($c | unit) as $u | ($u == "MB/s") as $more |
 [$all[] | select(.c == $c)] | group_by(.s) | map({key: .[0].s, value: (map(.v) | median * 10 | round / 10)}) | from_entries |
 select(.ours) | .ours as $o | .bare as $bare | del(.ours, .bare) | to_entries |
 ((if $more then max_by(.value) else min_by(.value) end) // {key: "none", value: null}) as $p |
 {case: $c, unit: $u, ours: $o, peer: $p.key, theirs: $p.value,
  ratio: ratio($o; $p.value; $more), haproxy: ratio($o; (map(select(.key == "haproxy").value) | first); $more),
  all: (map("\(.key) \(.value)") + (if $bare then ["(none \($bare))"] else [] end) | join(", "))}] as $rows |
"", "\("case" | pad(44)) \("unit" | pad(11)) \("ours" | pad(10)) \("best peer" | pad(20)) ratio   haproxy all peers",
($rows[] | "\(.case | pad(44)) \(.unit | pad(11)) \(.ours | pad(10)) \("\(.peer) \(.theirs)" | pad(20)) \(.ratio | pad(7)) \(.haproxy | pad(7)) \(.all)"),
"", ({bench: "gateway", rows: ($rows | map(del(.all)))} | tojson)' "$W/results"
