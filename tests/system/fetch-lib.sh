# tests/system/fetch-lib.sh - an origin for the tests of fetching: after lib.sh.
#
#   origin_repo NAME SIZE_KB...  $T/repo with targets packages/NAME1.bin ... of
#                                these sizes, random; keys in $T/keys
#   origin_add PATH [ARG...]     one more target, then publish
#   origin_start [LINE...]       nginx on http 8190 and https 8191 (localhost),
#                                CA $T/ca.pem; LINEs go into both servers
#   origin_stop                  at once, connections cut
#   origin_log                   $T/access, once it has what was answered so far:
#                                nginx writes a line after the last byte of a body
#   origin_bytes                 body bytes nginx sent so far
#   origin_count PATTERN         requests whose line matches
#   fetch_conf [LINE...]         conf for content from https://localhost:8191
#                                ($UPSTREAM if set); LINEs begin in [fetch]
#   refresh                      waits for one, prints the answer; that may be one
#                                which was under way
#   refresh_next                 one that begins now, where upstream was changed
#                                file by file and a retry may have seen half of it
# SPDX-License-Identifier: ISC
command -v nginx >/dev/null || skip "needs nginx"
for p in dp-store dp-fetch dp-connect dpctl; do [ -x "$BUILD/$p" ] || skip "needs $p"; done
ORIGIN=''

dpctl() { "$BUILD/dpctl" "$@" >>"$T/dpctl.log" 2>&1 || fail "dpctl $*"; }

origin_repo() {
	local name=$1 i=0 kb; shift
	dpctl repo init --keys "$T/keys" --root-keys "$T/root-keys" "$T/repo"
	mkdir -p "$T/in"
	for kb; do
		i=$((i + 1))
		head -c $((kb * 1024)) /dev/urandom >"$T/in/$name$i.bin"
		dpctl repo add --kind package "$T/repo" "$T/in/$name$i.bin"
	done
	dpctl repo publish --keys "$T/keys" "$T/repo"
}

origin_add() {
	local f=$1; shift
	dpctl repo add --kind package "$@" "$T/repo" "$f"
	dpctl repo publish --keys "$T/keys" "$T/repo"
}

origin_pki() {
	[ ! -f "$T/ca.pem" ] || return 0
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/ca.key" \
	    -out "$T/ca.pem" -days 2 -subj /CN=lab 2>/dev/null &&
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/s.key" \
	    -out "$T/s.csr" -subj /CN=localhost 2>/dev/null &&
	openssl x509 -req -in "$T/s.csr" -CA "$T/ca.pem" -CAkey "$T/ca.key" -CAcreateserial -days 2 \
	    -extfile <(echo subjectAltName=DNS:localhost) -out "$T/s.pem" 2>/dev/null || fail openssl
}

origin_start() {
	origin_pki
	cat >"$T/nginx.conf" <<-N
	worker_processes 1; daemon off; master_process off; pid $T/nginx.pid; user root;
	error_log $T/nginx.log;
	events { worker_connections 512; }
	http { log_format l '\$status \$body_bytes_sent \$bytes_sent \$request'; access_log $T/access l;
	 sendfile on; root ${ORIGIN_ROOT:-$T/repo};
	 server { listen unix:$T/origin.sock; access_log off; return 204; }
	 server { listen 127.0.0.1:8190; $* }
	 server { listen 127.0.0.1:8191 ssl; ssl_certificate $T/s.pem; ssl_certificate_key $T/s.key; $* } }
	N
	rm -f "$T/origin.sock"
	run nginx nginx -c "$T/nginx.conf" -p "$T"
	ORIGIN=$PID
	wait_for 20 curl -s -o /dev/null http://127.0.0.1:8190/
}

origin_stop() {
	local p keep=()
	kill -KILL "$ORIGIN"; wait "$ORIGIN" 2>/dev/null
	for p in "${PIDS[@]}"; do [ "$p" = "$ORIGIN" ] || keep+=("$p"); done
	PIDS=("${keep[@]}")
}

# its one process writes the line in the same turn as the last bytes, and comes
# to this request in a later one
origin_log() {
	[ ! -S "$T/origin.sock" ] || curl -s -m 20 -o /dev/null --unix-socket "$T/origin.sock" http://origin/
	cat "$T/access"
}
origin_bytes() { origin_log | awk '{ n += $2 } END { print n + 0 }'; }
origin_count() { origin_log | grep -c -- "$1"; }

fetch_conf() {
	conf <<-E
	[serve]
	http = 127.0.0.1:8060
	[content]
	upstream = ${UPSTREAM:-https://localhost:8191/}
	root = $T/repo/metadata/1.root.json
	ca = $T/ca.pem
	[fetch]
	$(printf '%s\n' "$@")
	E
}

refresh() { admin refresh content; }
at_rest() { admin fetch-status | grep -q '^repository=content.* step=idle' ; }
refresh_next() { wait_for 60 at_rest; refresh; }
# the name a target has in the store
name_of() { (cd "$T/repo" && find targets -name "*.$1" | sed 's,^,repo/,'); }
served() { curl -sf -o "$T/got" "http://127.0.0.1:8060/$1"; }
