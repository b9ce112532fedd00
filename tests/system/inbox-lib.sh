# tests/system/inbox-lib.sh - devices that report, and a server: after lib.sh.
#
#   inbox_pki N          a CA, a server's and a distribution point's certificate,
#                        N devices: $T/d1.crt ... with the UUIDs ${DEV[1]} ...
#   inbox_conf [LINE...] conf for HTTPS on 8061 and an inbox; LINEs go into [inbox],
#                        SERVE=... into [serve], FETCH=... into [fetch]
#   server_start; server_stop   reports.py on 8491; $T/taken is its log; BODIES=DIR keeps bodies
#   mode WORD...         how it answers
#   url I SEQ            of a report of device I
#   put I SEQ FILE [ARG...]  with curl; prints the status
#   stat NAME            a number of `dpctl inbox stats`
#   forwarded            whether nothing waits
#   master_kill          kill -9, and a new one once its workers have gone
# SPDX-License-Identifier: ISC
command -v curl >/dev/null || skip "needs curl"
for p in dp-store dp-fetch dp-connect dp-serve dpctl; do [ -x "$BUILD/$p" ] || skip "needs $p"; done
DEV=() SERVER=''
dpctl() { "$BUILD/dpctl" "$@" >>"$T/dpctl.log" 2>&1 || fail "dpctl $*"; }

inbox_pki() {
	local i
	dpctl ca init "$T/ca"
	dpctl ca issue "$T/ca" srv --server --ip 127.0.0.1 --dns localhost --out "$T"
	dpctl ca issue "$T/ca" dp --dp new --out "$T"
	for i in $(seq "$1"); do
		DEV[i]=$(cat /proc/sys/kernel/random/uuid)
		dpctl ca issue "$T/ca" "d$i" --device "${DEV[i]}" --out "$T"
	done
	echo ok >"$T/mode"
}

inbox_conf() {
	conf <<-E
	[serve]
	http = 127.0.0.1:8060
	https = 127.0.0.1:8061
	cert = $T/srv.crt
	key = $T/srv.key
	client-ca = $T/ca/ca.crt
	${SERVE-}
	[fetch]
	connect-timeout = 2
	${FETCH-}
	[inbox]
	url = https://localhost:8491/in/
	ca = $T/ca/ca.crt
	client-cert = $T/dp.crt
	client-key = $T/dp.key
	$(printf '%s\n' "$@")
	E
}

server_start() {
	: >>"$T/taken"
	run server /usr/bin/python3 "$HERE/tests/system/reports.py" 8491 "$T/srv.crt" "$T/srv.key" "$T/ca/ca.crt" "$T/mode" "$T/taken" ${BODIES:+"$BODIES"}
	SERVER=$PID
	wait_for 10 sh -c "ss -Hltn 'sport = :8491' | grep -q ."
}
server_stop() {
	local p keep=()
	kill -KILL "$SERVER"; wait "$SERVER" 2>/dev/null
	for p in "${PIDS[@]}"; do [ "$p" = "$SERVER" ] || keep+=("$p"); done
	PIDS=("${keep[@]}")
}
mode() { echo "$*" >"$T/mode.new"; mv "$T/mode.new" "$T/mode"; }

url() { echo "https://127.0.0.1:8061/v1/reports/${DEV[$1]}/$2"; }
put() {
	local i=$1 seq=$2 file=$3; shift 3
	curl -s -m 20 --cacert "$T/ca/ca.crt" --cert "$T/d$i.crt" --key "$T/d$i.key" -o "$T/answer" -D "$T/head" \
		-w '%{http_code}' -T "$file" "$@" "$(url "$i" "$seq")"
}
stat() { "$BUILD/dpctl" --socket "$T/run/admin.sock" --json inbox stats | jq -r ".$1"; }
forwarded() { [ "$(stat queued)" = 0 ]; }
master_kill() {
	kill -KILL "$MASTER"
	master_wait
	wait_for 10 sh -c "! ss -Hltn 'sport = :8060 or sport = :8061' | grep -q ."
	master_start
	master_ready 20
}
