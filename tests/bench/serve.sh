#!/bin/bash
# tests/bench/serve.sh - content serving: ours, nginx and lighttpd, same run.
#
# usage: make bench-serve [RUNS=3] [SECONDS_EACH=2] [IDLE=10000] [CASES="..."]
#
# The server is pinned to core 0, the load to core 1, all in network namespaces
# of their own. Servers take turns within each round, so that what else the
# machine does hits all of them; a figure is the median of RUNS. Ours is the
# real dp-master with every worker sandboxed; its objects came through a signed
# repository. Closes with a table and one JSON line; ratio > 1: ours is better
# than the better peer.
# SPDX-License-Identifier: ISC
set -u
cd "$(dirname "$0")/../.." || exit 1
BIN=$(realpath "${BUILD:-build}")
HLOAD=$BIN/tests/hload
RUNS=${RUNS:-3} EACH=${SECONDS_EACH:-2} IDLE=${IDLE:-10000}
CASES=${CASES:-4k-clear 4k-tls 256m-clear 256m-tls handshake mtls-handshake idle cold}
SERVERS=${SERVERS:-ours nginx lighttpd}
NS=dpb-srv ORG=dpb-org
W=/var/tmp/dpoint-bench LAB=$W NETNS="$NS $ORG"
WEB_IP=198.51.100.5 LINE=160mbit # what the cold case's origin may send
die() { echo "bench: $*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || die "must be root: it makes network namespaces"
[ "$(nproc)" -ge 2 ] || die "needs two cores"
for p in nginx lighttpd taskset tc jq curl; do
	command -v $p >/dev/null || die "$p is missing; ./check.sh --setup installs it"
done
ulimit -n "$(ulimit -Hn)"
[ "$(ulimit -n)" -gt $((IDLE + 1000)) ] || IDLE=$(($(ulimit -n) - 1000))

. tests/lab.sh

# start NAME CORE COMMAND...: then everything it starts is on that core too
start() { lab_run $NS "$1" taskset -c "$2" "${@:3}"; }
family() { # NAME: its process and all below it
	ps -eo pid=,ppid= | awk -v root="$(lab_pid "$1")" '
	{ up[$1] = $2 }
	END { for (p in up) for (q = p; q > 1; q = up[q]) if (q == root) { print p; break } }'
}
# processor ticks of all processes of a server
cpu_of() {
	local p
	for p in $(family "$1"); do cat "/proc/$p/stat"; done 2>/dev/null |
	    awk '{ sub(/.*\) /, ""); n += $12 + $13 } END { print n + 0 }'
}

# ports: 8080 clear, 8443 TLS, 8444 TLS with a required client certificate
start_nginx() {
	cat >"$W/nginx.conf" <<-E
	worker_processes 1; worker_rlimit_nofile $(ulimit -n); daemon off; pid $W/nginx.pid;
	error_log $W/log/nginx-errors; user root;
	events { worker_connections 15000; }
	http {
		access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 2m;
		keepalive_requests 1000000000; keepalive_timeout 300s; client_header_timeout 300s;
		default_type application/octet-stream; open_file_cache max=1000 inactive=300s;
		ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
		ssl_session_cache off; ssl_session_tickets off; ssl_buffer_size 16k;
		ssl_certificate $W/pki/srv.crt; ssl_certificate_key $W/pki/srv.key;
		server { listen 127.0.0.1:8080 backlog=8192; root $W/www; }
		server { listen 127.0.0.1:8443 ssl backlog=8192; root $W/www; }
		server { listen 127.0.0.1:8444 ssl backlog=8192; root $W/www;
			ssl_client_certificate $W/pki/ca.crt; ssl_verify_client on; }
	}
	E
	start nginx 0 nginx -e "$W/log/nginx-errors" -c "$W/nginx.conf"
}

start_lighttpd() {
	local conf='ssl.pemfile = "'$W'/pki/srv.crt"
ssl.privkey = "'$W'/pki/srv.key"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.3", "Ciphersuites" => "TLS_AES_128_GCM_SHA256", "Options" => "-SessionTicket")'
	cat >"$W/lighttpd.conf" <<-E
	server.document-root = "$W/www"
	server.modules = ( "mod_openssl" )
	server.bind = "127.0.0.1"
	server.port = 8080
	server.max-keep-alive-requests = 1000000000
	server.max-keep-alive-idle = 300
	server.max-read-idle = 300
	server.max-fds = $(ulimit -n)
	server.max-connections = 15000
	server.network-backend = "sendfile"
	server.listen-backlog = 8192
	mimetype.assign = ( "" => "application/octet-stream" )
	$conf
	\$SERVER["socket"] == "127.0.0.1:8443" { ssl.engine = "enable"
	$conf
	}
	\$SERVER["socket"] == "127.0.0.1:8444" { ssl.engine = "enable"
	$conf
	ssl.ca-file = "$W/pki/ca.crt"
	ssl.verifyclient.activate = "enable"
	ssl.verifyclient.enforce = "enable"
	}
	E
	start lighttpd 0 lighttpd -D -f "$W/lighttpd.conf"
}

# One listener has one policy about client certificates, so ours runs with the
# policy and on the port that the case needs; the store stays as it is.
start_ours() { # CASE
	local tls=127.0.0.1:8443 policy=none
	case $1 in mtls-*) tls=127.0.0.1:8444 policy=required ;; esac
	cat >"$W/ours.conf" <<-E
	[master]
	libexec = $BIN
	run-dir = $W/run
	[store]
	dir = $W/store
	reserve = 0
	want-free = 0
	[content]
	upstream = https://$WEB_IP/
	root = $W/root.json
	ca = $W/pki/ca.crt
	[fetch]
	preload = none
	[serve]
	http = 127.0.0.1:8080
	https = $tls
	cert = $W/pki/srv.crt
	key = $W/pki/srv.key
	client-ca = $W/pki/ca.crt
	client-cert = $policy
	max-connections = 30000
	idle-timeout = 5m
	E
	start ours 0 "$BIN/dp-master" --config "$W/ours.conf"
}

# bytes of anonymous memory of all processes of a server
anon_of() { # NAME
	local p n=0 v
	for p in $(family "$1"); do
		v=$(awk '/^RssAnon/ { print $2 }' "/proc/$p/status" 2>/dev/null)
		n=$((n + ${v:-0}))
	done
	echo $((n * 1024))
}

# one run of one case against the server that stands; the figure to $VALUE
load() { OUT=$(ip netns exec $NS taskset -c 1 "$HLOAD" "$@" 2>&1) || { echo "$OUT" >&2; OUT=; }; }
pick() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$OUT" | tail -n 1; }
run_case() { # CASE NAME
	local a b client
	VALUE=
	case $1 in
	4k-clear) load get -c 64 -d "$EACH" 127.0.0.1:8080 "/repo/targets/$F4K"; VALUE=$(pick rate) ;;
	4k-tls) load get -s -A "$W/pki/ca.crt" -c 64 -d "$EACH" 127.0.0.1:8443 "/repo/targets/$F4K"; VALUE=$(pick rate) ;;
	256m-clear) load get -c 2 -d "$EACH" 127.0.0.1:8080 "/repo/targets/$F256M"; VALUE=$(pick mbps) ;;
	256m-tls) load get -s -A "$W/pki/ca.crt" -c 2 -d "$EACH" 127.0.0.1:8443 "/repo/targets/$F256M"; VALUE=$(pick mbps) ;;
	handshake|mtls-handshake)
		a=$(cpu_of "$2")
		if [ "$1" = handshake ]; then load hs -c 64 -d "$EACH" 127.0.0.1:8443
		else load hs -C "$W/pki/cli.crt" -K "$W/pki/cli.key" -c 64 -d "$EACH" 127.0.0.1:8444; fi
		b=$(cpu_of "$2")
		# 10 ms ticks; microseconds of the server's processor for each
		VALUE=$(awk -v t=$((b - a)) -v n="$(pick done)" 'BEGIN { if (n > 0) printf "%.0f", t * 10000 / n }') ;;
	idle)
		a=$(anon_of "$2")
		ip netns exec $NS taskset -c 1 "$HLOAD" idle -c "$IDLE" -d 3 127.0.0.1:8443 "/repo/targets/$F4K" >"$W/idle.out" 2>&1 &
		client=$!
		for _ in $(seq 600); do
			grep -q held= "$W/idle.out" && break
			kill -0 $client 2>/dev/null || break
			sleep 0.1
		done
		sleep 1
		b=$(anon_of "$2")
		if wait $client; then VALUE=$(((b - a) / IDLE)); else cat "$W/idle.out" >&2; fi ;;
	esac
}

# --- cold: CLIENTS ask at once for 64 MiB that nobody has -----------------------

# The line's own time is one bare transfer of the same bytes over it.
line_time() {
	ip netns exec $NS taskset -c 1 curl -sf --cacert "$W/pki/ca.crt" -o /dev/null -w '%{time_total}' \
	    "https://$WEB_IP/targets/$F64M"
}
origin_sent() { awk -v f="$F64M" 'index($3, f) { n += $1 } END { printf "%d", n }' "$W/log/access"; }
start_nginx_cache() {
	rm -rf "$W/cache"
	cat >"$W/cache.conf" <<-E
	worker_processes 1; daemon off; pid $W/cache.pid; user root; error_log $W/log/cache-errors;
	events { worker_connections 4096; }
	http {
		access_log off; sendfile on; tcp_nopush on;
		proxy_cache_path $W/cache levels=1:2 keys_zone=z:10m max_size=4g use_temp_path=off;
		server { listen 127.0.0.1:8080; location /repo/ {
			proxy_pass https://$WEB_IP/; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_cache z; proxy_cache_valid 200 1d; proxy_cache_lock on;
			proxy_cache_lock_timeout 60s; proxy_cache_lock_age 60s;
			proxy_max_temp_file_size 4096m; } }
	}
	E
	start nginx 0 nginx -e "$W/log/cache-errors" -c "$W/cache.conf"
}
cold() { # SERVER: seconds until all 32 have it over the line's own time
	local before line
	line=$(line_time)
	before=$(origin_sent)
	load get -c 32 -n 32 127.0.0.1:8080 "/repo/targets/$F64M"
	[ "$(pick failed)" = 0 ] || return
	sleep 0.3
	VALUE=$(awk -v a="$(pick last)" -v b="$line" 'BEGIN { printf "%.3f", a / b }')
	echo "   cold $1: the last of 32 after $(pick last) s, the line alone $line s, the origin sent $(awk -v n=$(($(origin_sent) - before)) 'BEGIN { printf "%.3f", n / 67108864 }') objects"
}

# --- main -----------------------------------------------------------------------

trap 'rc=$?; trap - EXIT; lab_clean; exit $rc' EXIT
trap 'exit 130' INT TERM
lab_clean
mkdir -p "$W/log" "$W/www" "$W/files" && chmod 755 "$W" || die "cannot make $W"

# dpctl's words are shown only if it fails.
dpctl() { "$BIN/dpctl" "$@" >"$W/log/dpctl" 2>&1 || { cat "$W/log/dpctl" >&2; die "failed: dpctl $*"; }; }
dpctl ca init "$W/ca"
mkdir "$W/pki" && cp "$W/ca/ca.crt" "$W/pki/"
dpctl ca issue "$W/ca" srv --server --ip 127.0.0.1 --ip $WEB_IP --dns localhost --out "$W/pki"
dpctl ca issue "$W/ca" cli --device new --out "$W/pki"

head -c 4096 /dev/urandom >"$W/files/4k"
head -c $((256 << 20)) /dev/urandom >"$W/files/256m"
for r in $(seq "$RUNS"); do head -c $((64 << 20)) /dev/urandom >"$W/files/64m-$r"; done
dpctl repo init "$W/repo" --keys "$W/keys/online" --root-keys "$W/keys/root"
dpctl repo add "$W/repo" "$W/files/"*
dpctl repo publish "$W/repo"
cp "$W/repo/metadata/1.root.json" "$W/root.json"
rm -r "$W/files"
ln -s "$W/repo" "$W/www/repo" # the peers serve the same files by the same paths
published() { ls "$W/repo/targets" | grep "\.$1\$"; }
F4K=$(published 4k) F256M=$(published 256m)
cat "$W/repo/targets/"* >/dev/null # warm for everybody

ip netns add $NS && ip netns add $ORG && ip -n $NS link set lo up && ip -n $ORG link set lo up &&
ip link add wan0 netns $ORG type veth peer name wan0 netns $NS &&
ip -n $ORG addr add $WEB_IP/30 dev wan0 && ip -n $ORG link set wan0 up &&
ip -n $NS addr add 198.51.100.6/30 dev wan0 && ip -n $NS link set wan0 up || die "no network namespaces"
ip netns exec $NS sysctl -qw net.ipv4.ip_local_port_range="10240 65535" net.core.somaxconn=16384 \
    net.ipv4.tcp_max_syn_backlog=16384
cat >"$W/origin.conf" <<E
daemon off; worker_processes 1; pid $W/origin.pid; error_log $W/log/origin-errors; user root;
events { worker_connections 512; }
http {
	log_format bytes '\$bytes_sent \$status \$request_uri';
	access_log $W/log/access bytes; sendfile on; default_type application/octet-stream;
	server { listen $WEB_IP:443 ssl; root $W/repo;
		ssl_certificate $W/pki/srv.crt; ssl_certificate_key $W/pki/srv.key; }
}
E
lab_run $ORG origin taskset -c 1 nginx -e "$W/log/origin-errors" -c "$W/origin.conf"
lab_wait 10 origin lab_listens $ORG 443 || exit 1

# What is served must be right, and is in the server's tables then.
warm() { # SERVER
	local f
	for f in $F4K $F256M; do
		# ours knows no name before its first set is in force
		ip netns exec $NS taskset -c 1 curl -sf --retry 10 --retry-all-errors --retry-delay 1 \
		    --max-time 60 "http://127.0.0.1:8080/repo/targets/$f" |
		    sha256sum | grep -q "^${f%%.*} " ||
		    { tail -n 20 "$LAB/log/$1" >&2; die "$1 does not serve $f"; }
	done
}
up() { # SERVER CASE
	"start_$1" "$2"
	lab_wait 15 "$1" lab_listens $NS 8080 || die "$1 did not start"
	[ "$1" != ours ] || lab_wait 15 ours grep -q 'every worker is ready' "$LAB/log/ours" || die "ours did not become ready"
}
note() { # CASE SERVER
	[ -n "$VALUE" ] && printf '%s\t%s\t%s\n' "$1" "$2" "$VALUE" >>"$W/results"
	printf '%-15s %-9s %s\n' "$1" "$2" "${VALUE:-failed}"
}
: >"$W/results"
for r in $(seq "$RUNS"); do
	echo "== round $r of $RUNS"
	for s in $SERVERS; do
		running=
		for c in $CASES; do
			kind=plain
			case $s,$c in *,cold) continue ;; ours,mtls-*) kind=mtls ;; esac
			if [ "$running" != $kind ]; then
				[ -z "$running" ] || lab_stop "$s"
				up "$s" "$c"
				warm "$s"
				running=$kind
			fi
			run_case "$c" "$s"
			note "$c" "$s"
		done
		[ -z "$running" ] || lab_stop "$s"
	done
	case " $CASES " in *" cold "*) ;; *) continue ;; esac
	ip netns exec $ORG tc qdisc add dev wan0 root tbf rate $LINE burst 256kb latency 300ms || die "tc"
	F64M=$(published "64m-$r")
	for s in ours nginx; do
		VALUE=
		if [ $s = nginx ]; then start_nginx_cache; lab_wait 10 nginx lab_listens $NS 8080 || exit 1
		else up ours cold; fi
		cold $s
		note cold $s
		lab_stop $s
	done
	ip netns exec $ORG tc qdisc del dev wan0 root
done

jq -Rrn --arg cases "$CASES" '
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def pad($n): tostring + " " * $n | .[:$n];
{"4k-clear": "req/s", "4k-tls": "req/s", "256m-clear": "MB/s", "256m-tls": "MB/s",
 "handshake": "us CPU", "mtls-handshake": "us CPU", "idle": "bytes/conn", "cold": "x line"} as $unit |
[inputs | split("\t") | {c: .[0], s: .[1], v: (.[2] | tonumber)}] as $all |
[$cases | split(" ")[] as $c | $unit[$c] as $u | ($u | test("/s$")) as $more |
 [$all[] | select(.c == $c)] | group_by(.s) | map({key: .[0].s, value: (map(.v) | median)}) | from_entries |
 select(.ours and (keys | length > 1)) | .ours as $o | del(.ours) | to_entries |
 (if $more then max_by(.value) else min_by(.value) end) as $p |
 {case: $c, unit: $u, ours: $o, peer: $p.key, theirs: $p.value,
  ratio: ((if $more then $o / $p.value else $p.value / $o end) * 1000 | round / 1000),
  all: (map("\(.key) \(.value)") | join(", "))}] as $rows |
"", "\("case" | pad(15)) \("unit" | pad(11)) \("ours" | pad(10)) \("best peer" | pad(20)) ratio   all peers",
($rows[] | "\(.case | pad(15)) \(.unit | pad(11)) \(.ours | pad(10)) \("\(.peer) \(.theirs)" | pad(20)) \(.ratio | pad(7)) \(.all)"),
"", ({bench: "serve", rows: ($rows | map(del(.all)))} | tojson)' "$W/results"
